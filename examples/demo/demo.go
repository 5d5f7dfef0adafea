package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/scskit/scskit"
)

const (
	idleTimeout   = 20 * time.Minute
	sweepInterval = time.Minute
)

// framework is one of the seven: a version that has an adapter of its own counts for itself.
type framework struct {
	Name    string // as its people write it
	Slug    string // its path below the root, and its color on the page
	Package string // of the middleware, as it is named in code
	handler http.Handler
}

// demo is everything behind the one address.
type demo struct {
	app
	front      http.Handler
	store      *scskit.Store
	place      string // where the sessions are
	frameworks []framework
	events     *events
	results    results
	client     *client
	closers    []func() error
}

// newDemo makes the demo over the store that spec names. addr is where it will be reached: it
// sends requests to itself.
func newDemo(ctx context.Context, spec, addr string) (_ *demo, err error) {
	d := &demo{events: newEvents(), client: newClient(addr)}
	d.closers = append(d.closers, d.client.close)
	var closeStore func() error
	d.store, d.place, closeStore,
		err = openStore(ctx, spec, scskit.Options{Observer: d.events.observe})
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, closeStore)
	// which removes by itself, and reads the whole table in a sweep
	if !strings.HasPrefix(spec, "dynamodb:") {
		stopSweep := d.store.StartSweep(sweepInterval)
		d.closers = append(d.closers, func() error { stopSweep(); return nil })
	}

	d.sessions = scskit.New(d.store) // wherever browsers come by HTTPS: Cookie.Secure = true
	d.sessions.IdleTimeout = idleTimeout
	d.gates = new(gates)
	fiber, stop, err := mountFiber(ctx, &d.app, "Fiber v2")
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.closers = append(d.closers, stop)
	fiberV3, stop, err := mountFiberV3(ctx, &d.app, "Fiber v3")
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	d.closers = append(d.closers, stop)
	d.frameworks = []framework{
		{"Gin", "gin", "scsgin", mountGin(&d.app, "Gin")},
		{"Echo v4", "echo", "scsecho", mountEcho(&d.app, "Echo v4")},
		{"Echo v5", "echov5", "scsecho", mountEchoV5(&d.app, "Echo v5")},
		{"Fiber v2", "fiber", "scsfiber", fiber},
		{"Fiber v3", "fiberv3", "scsfiber", fiberV3},
		{"Chi", "chi", "scschi", mountChi(&d.app, "Chi")},
		{"net/http", "nethttp", "scshttp", mountNetHTTP(&d.app, "net/http")},
	}
	d.front = d.routes()
	return d, nil
}

func (d *demo) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.front.ServeHTTP(w, r) }

func (d *demo) routes() http.Handler {
	mux := http.NewServeMux()
	for _, f := range d.frameworks {
		mux.Handle("/"+f.Slug+"/", d.results.record(named(f)))
	}
	mux.Handle("/stock/", mountStock(d.gates))
	mux.HandleFunc("GET /{$}", d.servePage)
	for _, name := range []string{"style.css", "cards.css", "app.js", "icon.svg"} {
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) {
			http.ServeFileFS(w, r, files, "page/"+name)
		})
	}
	mux.HandleFunc("GET /events", d.events.serve)
	mux.HandleFunc("POST /try/fifty", d.serveFifty)
	mux.HandleFunc("POST /try/race", d.serveRace)
	mux.HandleFunc("POST /try/damage", d.serveDamage)
	return http.MaxBytesHandler(harden(mux), maxBody)
}

// named lets the events of a framework's requests tell which it was. (Fiber, behind its
// proxy, does it for itself.)
func named(f framework) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.handler.ServeHTTP(w, r.WithContext(withFramework(r.Context(), f.Name)))
	})
}

// harden sets the headers of every response and names every request. A POST from another
// site is refused, beside the session cookie being SameSite=Lax.
func harden(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy",
			"default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "+
				"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		r.Header.Set(requestIDHeader, rand.Text())
		next.ServeHTTP(w, r)
	})
}

// close stops and closes everything, the latest first.
func (d *demo) close() error {
	var err error
	for i := len(d.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, d.closers[i]())
	}
	return err
}
