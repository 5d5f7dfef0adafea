package scsecho_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v5"
	"github.com/labstack/echo/v5/middleware"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsecho "github.com/scskit/scskit/adapters/echov5"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/visit"
	"github.com/scskit/scskit/stores/memstore"
)

// flaky is a store whose commits fail for requests with failsKey in their context.
type flaky struct{ scs.Store }

type failsKey struct{}

func (f flaky) FindCtx(_ context.Context, token string) ([]byte, bool, error) {
	return f.Find(token)
}

func (f flaky) DeleteCtx(_ context.Context, token string) error { return f.Delete(token) }

func (f flaky) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if ctx.Value(failsKey{}) != nil {
		return errors.New("down")
	}
	return f.Commit(token, data, expiry)
}

// failing makes commits fail for requests with the query parameter "fail".
func failing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c *echo.Context) error {
		if c.QueryParam("fail") != "" {
			ctx := context.WithValue(c.Request().Context(), failsKey{}, true)
			c.SetRequest(c.Request().WithContext(ctx))
		}
		return next(c)
	}
}

func newManager(t *testing.T) *scs.SessionManager {
	t.Helper()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	sm.Store = flaky{store}
	return sm
}

func newEcho() *echo.Echo {
	e := echo.New()
	e.Logger = slog.New(slog.DiscardHandler)
	return e
}

// TestGzipInside tests that an error response goes to its own client, not into a gzip writer that
// another request already uses.
func TestGzipInside(t *testing.T) {
	t.Parallel()
	sm := newManager(t)
	e := newEcho()
	e.Use(failing, scsecho.LoadAndSave(sm, adapters.Logger(nil)), middleware.Gzip())
	e.GET("/", func(c *echo.Context) error {
		sm.Put(c.Request().Context(), "user", c.QueryParam("user"))
		return c.String(http.StatusOK, "welcome, "+c.QueryParam("user"))
	})
	base := conformance.Listen(t, e)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				resp, body := visit.Get(t, base+"/?user=ada&fail=1")
				if resp.StatusCode != http.StatusInternalServerError ||
					!strings.Contains(body, "Internal Server Error") {
					t.Errorf("status %d, body %q", resp.StatusCode, body)
				}
				resp, body = visit.Get(t, base+"/?user=bob")
				if resp.StatusCode != http.StatusOK || body != "welcome, bob" || len(resp.Cookies()) != 1 {
					t.Errorf("status %d, body %q, cookies %v", resp.StatusCode, body, resp.Cookies())
				}
			}
		})
	}
	group.Wait()
}

// TestErrorOutside tests that a change before a handler's error is stored when the error handler
// answers, although outer middleware has restored its own writer.
func TestErrorOutside(t *testing.T) {
	t.Parallel()
	for name, outside := range map[string]echo.MiddlewareFunc{
		"gzip":      middleware.Gzip(),
		"timeout":   middleware.ContextTimeout(time.Minute),
		"body dump": middleware.BodyDump(func(*echo.Context, []byte, []byte, error) {}),
		"none":      func(next echo.HandlerFunc) echo.HandlerFunc { return next },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sm := newManager(t)
			e := newEcho()
			e.Use(failing, outside, scsecho.LoadAndSave(sm, adapters.Logger(nil)))
			e.GET("/login", func(c *echo.Context) error {
				ctx := c.Request().Context()
				if err := sm.RenewToken(ctx); err != nil {
					return err
				}
				sm.Put(ctx, "failures", sm.GetInt(ctx, "failures")+1)
				c.Response().Header().Set("X-Accel-Redirect", "/inner")
				return echo.NewHTTPError(http.StatusUnauthorized, "no")
			})
			base := conformance.Listen(t, e)
			var cookies []*http.Cookie
			for n := range 2 {
				resp, body := visit.Get(t, base+"/login", cookies...)
				if resp.StatusCode != http.StatusUnauthorized || !strings.Contains(body, "no") {
					t.Errorf("status %d, body %q", resp.StatusCode, body)
				}
				if cookies = resp.Cookies(); len(cookies) != 1 {
					t.Fatalf("cookies %v", cookies)
				}
				ctx, err := sm.Load(t.Context(), cookies[0].Value)
				if err != nil || sm.GetInt(ctx, "failures") != n+1 {
					t.Errorf("%d failures are stored, want %d: %v", sm.GetInt(ctx, "failures"), n+1, err)
				}
			}
			resp, body := visit.Get(t, base+"/login?fail=1")
			if resp.StatusCode != http.StatusInternalServerError || len(resp.Cookies()) != 0 ||
				resp.Header.Get("X-Accel-Redirect") != "" || strings.Contains(body, "no") {
				t.Errorf("with the store down: status %d, header %v, body %q",
					resp.StatusCode, resp.Header, body)
			}
		})
	}
}

// TestErrorLate tests that a change by the error handler after its response has begun is reported
// as late, and panics with Strict.
func TestErrorLate(t *testing.T) {
	t.Parallel()
	for round := range 4 {
		strict, begun := round%2 == 1, round/2 == 1
		events, panics := make(chan scskit.Kind, 16), make(chan any, 1)
		sm := newManager(t)
		opts := []adapters.Option{
			adapters.Observe(func(_ context.Context, e scskit.Event) { events <- e.Kind }),
		}
		if strict {
			opts = append(opts, adapters.Strict())
		}
		e := newEcho()
		e.Use(middleware.Gzip(), scsecho.LoadAndSave(sm, opts...))
		e.HTTPErrorHandler = func(c *echo.Context, err error) {
			ctx := c.Request().Context()
			if !begun {
				sm.Put(ctx, "in time", true)
				_ = c.String(http.StatusTeapot, err.Error())
			}
			_ = sm.GetString(ctx, "k")
			defer func() { panics <- recover() }()
			sm.Put(ctx, "late", true)
		}
		e.GET("/", func(c *echo.Context) error {
			sm.Put(c.Request().Context(), "k", "v")
			if begun {
				_ = c.String(http.StatusTeapot, "begun")
			}
			return echo.NewHTTPError(http.StatusTeapot, "")
		})
		resp, _ := visit.Get(t, conformance.Listen(t, e)+"/")
		if resp.StatusCode != http.StatusTeapot || len(resp.Cookies()) != 1 {
			t.Errorf("strict %v, begun %v: status %d, cookies %v",
				strict, begun, resp.StatusCode, resp.Cookies())
		}
		if got := <-panics; (got != nil) != strict {
			t.Errorf("strict %v, begun %v: panic %v", strict, begun, got)
		}
		select {
		case kind := <-events:
			if kind != scskit.KindLate {
				t.Errorf("strict %v, begun %v: event %v, want late", strict, begun, kind)
			}
		case <-time.After(time.Minute):
			t.Errorf("strict %v, begun %v: no event", strict, begun)
		}
	}
}

// TestBefore tests that a change in a function of Response.Before is stored, and that c.Response is
// still Echo's response.
func TestBefore(t *testing.T) {
	t.Parallel()
	sm := newManager(t)
	e := newEcho()
	e.Use(scsecho.LoadAndSave(sm), middleware.Secure())
	e.GET("/", func(c *echo.Context) error {
		res, ok := c.Response().(*echo.Response)
		if !ok {
			t.Fatalf("the response is a %T", c.Response())
		}
		res.Before(func() { sm.Put(c.Request().Context(), "before", true) })
		return c.String(http.StatusOK, "page")
	})
	resp, body := visit.Get(t, conformance.Listen(t, e)+"/")
	if body != "page" || len(resp.Cookies()) != 1 {
		t.Fatalf("body %q, cookies %v", body, resp.Cookies())
	}
	ctx, err := sm.Load(t.Context(), resp.Cookies()[0].Value)
	if err != nil || !sm.GetBool(ctx, "before") {
		t.Errorf("the session has the keys %v, error %v", sm.Keys(ctx), err)
	}
}

// TestRedirectHeldBack tests that a redirect that Gzip delays is not sent if the session cannot be
// stored.
func TestRedirectHeldBack(t *testing.T) {
	t.Parallel()
	sm := newManager(t)
	e := newEcho()
	e.Use(failing, middleware.Gzip(), scsecho.LoadAndSave(sm, adapters.Logger(nil)))
	e.GET("/", func(c *echo.Context) error {
		sm.Put(c.Request().Context(), "user", "ada")
		return c.Redirect(http.StatusSeeOther, "/welcome")
	})
	base := conformance.Listen(t, e)
	resp, body := visit.Get(t, base+"/?fail=1")
	if resp.StatusCode != http.StatusInternalServerError || resp.Header.Get("Location") != "" ||
		len(resp.Cookies()) != 0 {
		t.Errorf("status %d, header %v, body %q", resp.StatusCode, resp.Header, body)
	}
}
