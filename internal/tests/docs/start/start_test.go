// Package start_test compiles and runs the code that docs/getting-started.md shows.
package start_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/sessiontest"
	"github.com/scskit/scskit/stores/memstore"
)

func newSessions() (*scskit.Store, *scs.SessionManager) {
	store, err := memstore.New(&memstore.Options{
		Options: scskit.Options{UserKey: "user"}, // the session key that holds the user's id
	})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store) // a *scs.SessionManager
	sessions.IdleTimeout = 30 * time.Minute
	return store, sessions
}

// visit makes a request of one framework's application.
type visit func(t *testing.T, r *http.Request) *http.Response

func onHandler(h http.Handler) visit {
	return func(_ *testing.T, r *http.Request) *http.Response {
		recorder := httptest.NewRecorder()
		h.ServeHTTP(recorder, r)
		return recorder.Result()
	}
}

var frameworks = map[string]func(*scskit.Store, *scs.SessionManager) visit{
	"gin":     onGin,
	"echo":    onEcho,
	"echov5":  onEchoV5,
	"fiber":   onFiber,
	"fiberv3": onFiberV3,
	"chi":     onChi,
	"nethttp": onHTTP,
}

func TestStart(t *testing.T) {
	for name, newApp := range frameworks {
		t.Run(name, func(t *testing.T) {
			store, sessions := newSessions()
			app := newApp(store, sessions)
			do := func(s *sessiontest.Session, method, path string) (status int, body string) {
				t.Helper()
				r := s.Request(method, path, nil)
				if method == http.MethodPost {
					form := strings.NewReader(url.Values{"name": {"ada"}}.Encode())
					r = httptest.NewRequest(method, path, form)
					r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
					s.Send(r)
				}
				response := app(t, r)
				defer response.Body.Close()
				s.Receive(response)
				text, err := io.ReadAll(response.Body)
				if err != nil {
					t.Fatal(err)
				}
				return response.StatusCode, string(text)
			}
			laptop, phone := sessiontest.New(t, sessions, nil), sessiontest.New(t, sessions, nil)
			for _, s := range []*sessiontest.Session{laptop, phone} {
				if status, _ := do(s, http.MethodPost, "/sign-in"); status != http.StatusSeeOther {
					t.Fatalf("sign-in: status %d", status)
				}
				for _, want := range []string{"Welcome! Hello ada\n", " Hello ada\n"} {
					if _, body := do(s, http.MethodGet, "/"); body != want {
						t.Errorf("home: %q, want %q", body, want)
					}
				}
			}
			wantStatus := func(s *sessiontest.Session, path string, want int) {
				t.Helper()
				if status, _ := do(s, http.MethodPost, path); status != want {
					t.Errorf("%s: status %d, want %d", path, status, want)
				}
			}
			wantStatus(laptop, "/sign-out", http.StatusSeeOther)
			if laptop.Get("user") != nil || phone.Get("user") != "ada" {
				t.Error("sign-out: the wrong sessions are left")
			}
			wantStatus(laptop, "/sign-in", http.StatusSeeOther)
			wantStatus(laptop, "/sign-out-everywhere", http.StatusSeeOther)
			if laptop.Get("user") != nil || phone.Get("user") != nil {
				t.Error("sign-out-everywhere: a session is left")
			}
			wantStatus(phone, "/sign-out-everywhere", http.StatusUnauthorized)
		})
	}
}
