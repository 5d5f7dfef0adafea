package scsfiber_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/adaptor"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsfiber "github.com/scskit/scskit/adapters/fiberv3"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/stores/memstore"
)

func newManager(t *testing.T) *scs.SessionManager {
	t.Helper()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return scskit.New(store)
}

type traceKey struct{}

// TestContexts tests that every context of a Fiber handler has the session, including c itself.
func TestContexts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		between func(c fiber.Ctx) error // middleware
		ctx     func(c fiber.Ctx) context.Context
	}{
		"the context itself": {nil, func(c fiber.Ctx) context.Context { return c }},
		"Context":            {nil, fiber.Ctx.Context},
		"RequestCtx":         {nil, func(c fiber.Ctx) context.Context { return c.RequestCtx() }},
		"derived by middleware": {func(c fiber.Ctx) error {
			c.SetContext(context.WithValue(c.RequestCtx(), traceKey{}, "span"))
			return c.Next()
		}, fiber.Ctx.Context},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sm := newManager(t)
			app := fiber.New()
			app.Use(scsfiber.LoadAndSave(sm))
			if tt.between != nil {
				app.Use(tt.between)
			}
			app.Use(scsfiber.LoadAndSave(sm)) // the second one must use the session of the first
			visit := func(ctx context.Context) {
				if !adapters.HasSession(ctx, sm) {
					t.Error("HasSession: false")
				}
				sm.Put(ctx, "visits", sm.GetInt(ctx, "visits")+1)
			}
			app.Get("/", func(c fiber.Ctx) error { visit(tt.ctx(c)); return nil })
			app.Get("/renew", func(c fiber.Ctx) error {
				visit(tt.ctx(c))
				return sm.RenewToken(tt.ctx(c))
			})
			app.Get("/lost", func(c fiber.Ctx) error {
				ctx := tt.ctx(c)
				if err := sm.Store.Delete(sm.Token(ctx)); err != nil { // as if in another request
					return err
				}
				visit(ctx)
				return nil
			})
			var cookies []*http.Cookie
			for n, path := range []string{"/", "/", "/renew", "/"} {
				cookies = visitApp(t, app, path, cookies)
				ctx, err := sm.Load(t.Context(), cookies[0].Value)
				if err != nil || sm.GetInt(ctx, "visits") != n+1 {
					t.Errorf("%d visits are stored, want %d: %v", sm.GetInt(ctx, "visits"), n+1, err)
				}
			}
			visitApp(t, app, "/lost", cookies)
			if ctx, err := sm.Load(t.Context(), cookies[0].Value); err != nil || sm.Token(ctx) != "" {
				t.Errorf("a deleted session was stored again: %v", err)
			}
		})
	}
}

// visitApp makes a request and returns the cookies that the response sets, or else the given ones.
func visitApp(t *testing.T, app *fiber.App, path string, cookies []*http.Cookie) []*http.Cookie {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	resp, err := app.Test(r, fiber.TestConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d", path, resp.StatusCode)
	}
	if set := resp.Cookies(); len(set) > 0 {
		return set
	}
	return cookies
}

// TestAdaptor tests that a net/http handler behind Fiber's adaptor has the session in its context.
func TestAdaptor(t *testing.T) {
	t.Parallel()
	sm := newManager(t)
	app := fiber.New()
	app.Use(scsfiber.LoadAndSave(sm))
	app.Get("/", adaptor.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "k", "v")
		_, _ = io.WriteString(w, "page")
	})))
	cookies := visitApp(t, app, "/", nil)
	if len(cookies) != 1 {
		t.Fatalf("cookies %v", cookies)
	}
	ctx, err := sm.Load(t.Context(), cookies[0].Value)
	if err != nil || sm.GetString(ctx, "k") != "v" {
		t.Errorf("the session has the keys %v, error %v", sm.Keys(ctx), err)
	}
}

// TestAdaptorLazy tests that a net/http handler can use a lazy session through the context of the
// Fiber handler.
func TestAdaptorLazy(t *testing.T) {
	t.Parallel()
	sm := newManager(t)
	app := fiber.New()
	app.Use(scsfiber.LoadAndSave(sm, adapters.Lazy()))
	h := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "k", "v")
	})
	app.Get("/old", func(c fiber.Ctx) error {
		ctx := c.Context()
		return adaptor.HTTPHandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r.WithContext(ctx))
		})(c)
	})
	if cookies := visitApp(t, app, "/old", nil); len(cookies) != 1 {
		t.Errorf("cookies %v", cookies)
	}
}

// TestHijackLate tests that a change in a hijack handler is reported as late.
func TestHijackLate(t *testing.T) {
	t.Parallel()
	sm := newManager(t)
	events := make(chan scskit.Kind, 16)
	app := fiber.New()
	app.Use(scsfiber.LoadAndSave(sm,
		adapters.Observe(func(_ context.Context, e scskit.Event) { events <- e.Kind })))
	app.Get("/upgrade", func(c fiber.Ctx) error {
		ctx := c.Context()
		sm.Put(ctx, "k", "v")
		c.Status(http.StatusSwitchingProtocols)
		c.RequestCtx().Hijack(func(conn net.Conn) { sm.Put(ctx, "late", true) })
		return nil
	})
	config := fiber.ListenConfig{DisableStartupMessage: true}
	base := conformance.ListenWith(t, func(l net.Listener) (serve func() error, stop func()) {
		stop = func() { _ = app.ShutdownWithTimeout(time.Second) }
		return func() error { return app.Listener(l, config) }, stop
	})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", base[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "GET /upgrade HTTP/1.1\r\nHost: example.org\r\n\r\n")
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if len(resp.Cookies()) != 1 {
		t.Errorf("cookies %v", resp.Cookies())
	}
	select {
	case kind := <-events:
		if kind != scskit.KindLate {
			t.Errorf("event %v, want late", kind)
		}
	case <-time.After(time.Minute):
		t.Error("no event")
	}
}
