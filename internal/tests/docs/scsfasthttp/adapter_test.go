// Package scsfasthttp_test is the adapter and the harness that docs/new-adapter.md and
// docs/conformance.md show, for a server that is not on net/http. The test runs every check.
package scsfasthttp_test

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/alexedwards/scs/v2"
	"github.com/valyala/fasthttp"

	"github.com/scskit/scskit/adapters"
)

// Middleware is the usual type of middleware for fasthttp.
type Middleware = func(next fasthttp.RequestHandler) fasthttp.RequestHandler

func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) Middleware {
	l := adapters.NewLifecycle(sm, opts...) // panics if the manager is unusable: let it
	return func(next fasthttp.RequestHandler) fasthttp.RequestHandler {
		return func(c *fasthttp.RequestCtx) {
			req, err := l.Begin(Context(c), string(c.Method()), string(c.Path()), incoming{c})
			if err != nil {
				fail(c, err) // the handler must not run
				return
			}
			defer req.Release() // of adapters.Lock, if the handler panics
			outside := Context(c)
			c.SetUserValue(contextKey{}, req.Context())
			res := adapters.NewResponse(&c.Response.Header, req)
			next(c)
			if err := res.Finish(); err != nil { // not deferred: a panic must store nothing
				c.SetUserValue(contextKey{}, outside)
				c.Response.ResetBody()
				c.Hijack(nil)
				fail(c, err)
				return
			}
			if c.Response.IsBodyStream() || c.Hijacked() { // it goes on when the handlers have returned
				c.SetUserValue(req, closer(req.End))
			}
		}
	}
}

type contextKey struct{}

// Context returns the context for the manager's methods.
func Context(c *fasthttp.RequestCtx) context.Context {
	if ctx, ok := c.UserValue(contextKey{}).(context.Context); ok {
		return ctx
	}
	return context.Background() // not c: fasthttp uses that again for the next request
}

// incoming is a request.
type incoming struct{ c *fasthttp.RequestCtx }

// Header copies: Begin keeps the lines, and fasthttp reuses their memory.
func (in incoming) Header(name string) []string {
	var lines []string
	for _, line := range in.c.Request.Header.PeekAll(name) {
		lines = append(lines, string(line))
	}
	return lines
}

func (in incoming) TLS() bool { return in.c.IsTLS() }

func (in incoming) Host() string { return string(in.c.Host()) }

type errorKey struct{}

// fail answers with the status for the error, usually 500. Middleware outside finds the error, and
// may answer instead.
func fail(c *fasthttp.RequestCtx, err error) {
	adapters.AddErrorHeader(&c.Response.Header, err)
	c.SetUserValue(errorKey{}, err)
	c.SetStatusCode(adapters.StatusCode(err))
	c.SetBodyString(fasthttp.StatusMessage(c.Response.StatusCode()) + "\n")
}

// closer is a user value that fasthttp closes when the response has been sent.
type closer func()

func (f closer) Close() error {
	defer func() {
		if p := recover(); p != nil { // of adapters.Strict; fasthttp would not stop it
			slog.Error(fmt.Sprint(p))
		}
	}()
	f()
	return nil
}
