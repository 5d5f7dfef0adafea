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

const contentSecurityPolicy = "default-src 'none'; style-src 'self'; script-src 'self'; " +
	"img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// framework is one of the seven frameworks. Each major version with its own adapter is one.
type framework struct {
	Name    string // the name on the page
	Slug    string // the path prefix of its routes, and the CSS class of its color
	Package string // the package name of its adapter
	handler http.Handler
}

// demo is the handler of the whole site.
type demo struct {
	app
	front      http.Handler
	store      *scskit.Store
	place      string // describes where the sessions are stored
	frameworks []framework
	events     *events
	results    results
	client     *client
	closers    []func() error
}

// newDemo returns the demo with the store at the URL spec. The demo sends requests to itself at
// addr.
func newDemo(ctx context.Context, spec, addr string) (_ *demo, err error) {
	d := &demo{events: newEvents(), client: newClient(addr)}
	d.closers = append(d.closers, d.client.close)
	options := scskit.Options{Observer: d.events.observe, UserKey: userKey}
	var closeStore func() error
	d.store, d.place, closeStore, err = openStore(ctx, spec, options)
	if err != nil {
		return nil, err
	}
	d.closers = append(d.closers, closeStore)
	// DynamoDB removes expired sessions itself, and a sweep would read the whole table.
	if !strings.HasPrefix(spec, "dynamodb:") {
		stopSweep := d.store.StartSweep(sweepInterval)
		d.closers = append(d.closers, func() error { stopSweep(); return nil })
	}

	d.sessions = scskit.New(d.store) // with HTTPS, set Cookie.Secure
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

// named puts the framework's name into the context of its requests, for the events. Fiber runs
// behind a proxy, so its routes do this themselves.
func named(f framework) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.handler.ServeHTTP(w, r.WithContext(withFramework(r.Context(), f.Name)))
	})
}

// harden sets security headers on every response and gives every request an id. It refuses a POST
// from another site, in addition to the SameSite=Lax of the session cookie.
func harden(next http.Handler) http.Handler {
	next = http.NewCrossOriginProtection().Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentSecurityPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		r.Header.Set(requestIDHeader, rand.Text())
		next.ServeHTTP(w, r)
	})
}

// close calls the closers in reverse order.
func (d *demo) close() error {
	var err error
	for i := len(d.closers) - 1; i >= 0; i-- {
		err = errors.Join(err, d.closers[i]())
	}
	return err
}
