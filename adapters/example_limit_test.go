package adapters_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores/memstore"
)

// docs/security.md contains this code.

// tooMany refuses a request. The response has the status that its method returns.
type tooMany struct{}

func (tooMany) Error() string   { return "too many requests" }
func (tooMany) StatusCode() int { return http.StatusTooManyRequests }

type clientKey struct{}

// withClient puts the client's address into the context. Behind a proxy, take it from the header
// that the proxy sets: RemoteAddr is the proxy's then.
func withClient(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		address, _, _ := net.SplitHostPort(r.RemoteAddr)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, address)))
	})
}

func client(ctx context.Context) string {
	address, _ := ctx.Value(clientKey{}).(string)
	return address
}

// Clients that guess tokens are refused, and the sessions that a client can have before it signs in
// are limited. Middleware outside the session tells the limiter who the client is.
func ExampleLimit() {
	store, err := memstore.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	sessions := scskit.New(store)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /", func(_ http.ResponseWriter, r *http.Request) {
		sessions.Put(r.Context(), "seen", true) // makes a session
	})
	guesses, created := limiter{most: 2}, limiter{most: 3} // more in production

	limits := adapters.Limits{
		Load:    func(ctx context.Context) error { return guesses.check(client(ctx)) },
		Unknown: func(ctx context.Context) error { return guesses.count(client(ctx)) },
		Create:  func(ctx context.Context) error { return created.count(client(ctx)) },
	}
	handler := withClient(scshttp.LoadAndSave(sessions, adapters.Limit(limits))(mux))

	visit := func(what, address, token string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = address
		if token != "" {
			r.AddCookie(&http.Cookie{Name: "session", Value: token})
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		fmt.Println(what, w.Code)
	}
	for i := range 4 {
		visit("guesses a token:", "192.0.2.1:1234", fmt.Sprint("guess-", i))
	}
	for range 4 {
		visit("comes without a token:", "192.0.2.2:1234", "")
	}
	visit("another client:", "192.0.2.3:1234", "")
	// Output:
	// guesses a token: 200
	// guesses a token: 200
	// guesses a token: 429
	// guesses a token: 429
	// comes without a token: 200
	// comes without a token: 200
	// comes without a token: 200
	// comes without a token: 429
	// another client: 200
}

// limiter allows each client a number of events. A real one forgets them with time.
type limiter struct {
	most   int
	mu     sync.Mutex
	counts map[string]int
}

// check returns an error if the client has had too many events.
func (l *limiter) check(client string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts[client] > l.most {
		return tooMany{}
	}
	return nil
}

// count notes an event of the client.
func (l *limiter) count(client string) error {
	l.mu.Lock()
	if l.counts == nil {
		l.counts = make(map[string]int)
	}
	l.counts[client]++
	l.mu.Unlock()
	return l.check(client)
}
