package adapters_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// unreachable is an scs.Store whose database cannot be reached.
type unreachable struct{ err error }

func (s unreachable) Find(string) ([]byte, bool, error)      { return nil, false, s.err }
func (s unreachable) Commit(string, []byte, time.Time) error { return s.err }
func (s unreachable) Delete(string) error                    { return s.err }

// get sends a request with a session cookie to the handler, and prints the response.
func get(h http.Handler, path string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.AddCookie(&http.Cookie{Name: "session", Value: "6Tq3mXkVb0sYpLr9cNwDfH2aJ7eUgZ5tRiQoWxMvBnE"})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(path, w.Code, strings.TrimSpace(w.Body.String()))
}

func ExampleFailOpen() {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	sessions.Store = unreachable{errors.New("connection refused")} // the database fails

	home := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user := sessions.GetString(r.Context(), "user")
		if user == "" {
			user = "guest"
		}
		fmt.Fprint(w, "hello, ", user)
	})
	get(scshttp.LoadAndSave(sessions)(home), "/")
	get(scshttp.LoadAndSave(sessions, adapters.FailOpen())(home), "/")
	// Output:
	// / 500 Internal Server Error
	// / 200 hello, guest
}

func ExampleOnError() {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	sessions.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, _ error) {
		http.Error(w, "we will be back soon", http.StatusServiceUnavailable)
	}
	onError := func(_ context.Context, err error) error {
		fmt.Println(err) // log it: with OnError, the adapter does not
		if errors.Is(err, context.DeadlineExceeded) {
			return adapters.ErrFailOpen // the handler runs with an empty session
		}
		return nil // ErrorFunc writes the response
	}
	home := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	})
	for _, failure := range []error{context.DeadlineExceeded, errors.New("connection refused")} {
		sessions.Store = unreachable{failure} // the database fails
		get(scshttp.LoadAndSave(sessions, adapters.OnError(onError))(home), "/")
	}
	// Output:
	// session: load: context deadline exceeded
	// / 200 hello
	// session: load: connection refused
	// / 503 we will be back soon
}

func ExampleLazy() {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{
		Observer: func(_ context.Context, e scskit.Event) { fmt.Println("store:", e.Kind) },
	}})
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)

	mux := http.NewServeMux()
	mux.HandleFunc("GET /about", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "about us")
	})
	mux.HandleFunc("GET /cart", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "items: ", sessions.GetInt(r.Context(), "items")) // loads the session
	})
	handler := scshttp.LoadAndSave(sessions, adapters.Lazy())(mux)
	get(handler, "/about")
	get(handler, "/cart")
	// Output:
	// /about 200 about us
	// store: load
	// store: unknown
	// /cart 200 items: 0
}

func ExampleSkip() {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)

	static := func(_, path string) bool { return strings.HasPrefix(path, "/static/") }
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "session: ", adapters.HasSession(r.Context(), sessions))
	})
	handler := scshttp.LoadAndSave(sessions, adapters.Skip(static))(page)
	get(handler, "/static/logo.svg")
	get(handler, "/cart")
	// Output:
	// /static/logo.svg 200 session: false
	// /cart 200 session: true
}

func ExampleObserve() {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)

	observer := func(_ context.Context, e scskit.Event) {
		if e.Kind == scskit.KindLate {
			fmt.Println("a change was lost")
		}
	}
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, "hello")                    // the response begins
		sessions.Put(r.Context(), "seen", "home") // too late: the session is stored already
	})
	get(scshttp.LoadAndSave(sessions, adapters.Observe(observer))(page), "/")
	// Output:
	// a change was lost
	// / 200 hello
}
