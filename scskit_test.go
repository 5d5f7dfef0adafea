package scskit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/memstore"
)

func TestNewRefusesNilStore(t *testing.T) {
	for name, store := range map[string]scs.Store{"nil": nil, "nil *Store": (*scskit.Store)(nil)} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if p := fmt.Sprint(recover()); !strings.Contains(p, "store is nil") {
					t.Errorf("panic %q does not say that the store is nil", p)
				}
			}()
			scskit.New(store)
		})
	}
}

func TestNewStoreRefusesBadOptions(t *testing.T) {
	if _, err := scskit.NewStore(nil, nil); err == nil {
		t.Error("a nil driver is accepted")
	}
	if _, err := memstore.New(&memstore.Options{Options: scskit.Options{MaxSize: -1}}); err == nil {
		t.Error("a negative MaxSize is accepted")
	}
}

// TestErrorsHideTokens uses a driver whose errors quote the key, as those of databases do, and a
// store with PlainIDs.
func TestErrorsHideTokens(t *testing.T) {
	var events []scskit.Event
	store, err := scskit.NewStore(quoting{}, &scskit.Options{
		PlainIDs: true,
		Observer: func(_ context.Context, e scskit.Event) { events = append(events, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	const token = "the-token-in-the-cookie"
	_, _, findErr := store.Find(token)
	for op, err := range map[string]error{"find": findErr, "delete": store.Delete(token)} {
		if err == nil || strings.Contains(err.Error(), token) {
			t.Errorf("%s: got error %v, want one without the token", op, err)
		}
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: errors.Is does not find the cause of %v", op, err)
		}
	}
	for _, e := range events {
		if s := fmt.Sprintf("%+v", e); strings.Contains(s, token) {
			t.Errorf("event holds the token: %s", s)
		}
	}
	if len(events) != 2 {
		t.Errorf("%d events, want 2", len(events))
	}
}

var errBroken = errors.New("broken")

type quoting struct{ driver.Driver }

func (quoting) Load(_ context.Context, id string) (driver.Record, error) {
	return driver.Record{}, fmt.Errorf("select %q: %w", id, errBroken)
}

func (quoting) Delete(_ context.Context, id string, cond driver.Condition) error {
	return fmt.Errorf("delete %q: %w", id, errBroken)
}

func Example() {
	store, err := memstore.New(nil)
	if err != nil {
		panic(err)
	}
	sessions := scskit.New(store)

	mux := http.NewServeMux()
	mux.HandleFunc("POST /name", func(w http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "name", r.FormValue("name"))
	})
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "Hello, %s!", sessions.GetString(r.Context(), "name"))
	})
	server := httptest.NewServer(scshttp.LoadAndSave(sessions)(mux))
	defer server.Close()

	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar}
	resp, err := browser.PostForm(server.URL+"/name", map[string][]string{"name": {"Ada"}})
	if err != nil {
		panic(err)
	}
	resp.Body.Close()
	resp, err = browser.Get(server.URL)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(string(body))
	// Output: Hello, Ada!
}

// A job has no request and no adapter. With WithTracker it gets the same guarantees.
func ExampleWithTracker() {
	store, _ := memstore.New(nil)
	sessions := scskit.New(store)
	token := newToken(sessions)

	ctx, err := sessions.Load(scskit.WithTracker(context.Background()), token)
	if err != nil {
		panic(err)
	}
	_ = store.Delete(token) // the user signs out during the job
	sessions.Put(ctx, "report", "ready")
	if _, _, err := sessions.Commit(ctx); err != nil {
		panic(err)
	}
	commit, _ := scskit.LastCommit(ctx, token)
	fmt.Println("gone:", commit.State == scskit.CommitGone)
	// Output: gone: true
}

func newToken(sessions *scs.SessionManager) string {
	ctx, _ := sessions.Load(context.Background(), "")
	sessions.Put(ctx, "user", "ada")
	token, _, err := sessions.Commit(ctx)
	if err != nil {
		panic(err)
	}
	return token
}
