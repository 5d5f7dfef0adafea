package scskit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/memstore"
)

type saveFunc = func(ctx context.Context, rec driver.Record, cond driver.Condition) error

// tamper is a driver that calls a function in place of Save.
type tamper struct {
	driver.Driver
	save saveFunc
}

func (d *tamper) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	return d.save(ctx, rec, cond)
}

// A client of the backend that lost a reply retries, and conflicts with its own save. Or it returns
// the error, and the handler retries. In both cases the session is stored, and the response must
// set its cookie.
func TestRepeatedCreateSendsTheCookie(t *testing.T) {
	errLost := errors.New("the reply is lost")
	tests := map[string]func(d driver.Driver) saveFunc{
		"by the client": func(d driver.Driver) saveFunc {
			return func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				_ = d.Save(ctx, rec, cond)
				return d.Save(ctx, rec, cond)
			}
		},
		"by the handler": func(d driver.Driver) saveFunc {
			lost := false
			return func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				err := d.Save(ctx, rec, cond)
				if !lost {
					lost, err = true, errLost
				}
				return err
			}
		},
	}
	for name, save := range tests {
		t.Run(name, func(t *testing.T) {
			memory, err := memstore.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			conflicts := 0
			store, err := scskit.NewStore(&tamper{memory.Driver(), save(memory.Driver())}, &scskit.Options{
				Observer: func(_ context.Context, e scskit.Event) {
					if e.Kind == scskit.KindConflict {
						conflicts++
					}
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			sm := scskit.New(store)
			handler := scshttp.LoadAndSave(sm)(http.HandlerFunc(
				func(w http.ResponseWriter, r *http.Request) {
					sm.Put(r.Context(), "k", "v")
					if name == "by the handler" {
						if _, _, err := sm.Commit(r.Context()); !errors.Is(err, errLost) {
							t.Errorf("commit: %v", err)
						}
					}
					w.WriteHeader(http.StatusNoContent)
				}))
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
			cookies := w.Result().Cookies()
			if w.Code != http.StatusNoContent || len(cookies) != 1 {
				t.Fatalf("got status %d and cookies %v, want one cookie", w.Code, cookies)
			}
			if _, found, err := store.Find(cookies[0].Value); !found || err != nil {
				t.Errorf("the session in the cookie: found %t, error %v", found, err)
			}
			if name == "by the client" && conflicts > 0 {
				t.Errorf("%d conflicts were reported, want 0: there is no other request", conflicts)
			}
		})
	}
}

// ranging is a tamper that implements Ranger.
type ranging struct {
	*tamper
	driver.Ranger
}

// The same happens to a session that Iterate has listed, outside of any request.
func TestRepeatedSaveOfAListedSession(t *testing.T) {
	memory, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	d := memory.Driver()
	store, err := scskit.NewStore(ranging{&tamper{d,
		func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
			_ = d.Save(ctx, rec, cond)
			return d.Save(ctx, rec, cond)
		}}, d.(driver.Ranger)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	if err := commitSession(t, store, "token", map[string]any{"k": "v"}); err != nil {
		t.Fatal(err)
	}
	err = sm.Iterate(context.Background(), func(ctx context.Context) error {
		sm.Put(ctx, "k", "w")
		_, _, err := sm.Commit(ctx)
		return err
	})
	if err != nil {
		t.Errorf("iterate: %v", err)
	}
	ctx, err := sm.Load(context.Background(), "token")
	if err != nil || sm.GetString(ctx, "k") != "w" {
		t.Errorf("the session holds %q, error %v, want \"w\"", sm.GetString(ctx, "k"), err)
	}
}
