// Package scsfiber provides scs session middleware for Fiber v3.
package scsfiber

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"

	"github.com/scskit/scskit/adapters"
)

// LoadAndSave returns middleware that loads the session of each request and stores it when the
// handlers have returned. Handlers pass c.Context() to the manager, or a context derived from it.
// Without adapters.Lazy, c itself and c.RequestCtx() work too. If the session cannot be loaded or
// stored, the middleware returns the error to the app's ErrorHandler. Fiber's default ErrorHandler
// sends only the status text.
//
// If a handler returns an error, the middleware calls the app's ErrorHandler itself, as Fiber's
// logger does, and does not return the error. An ErrorHandler that ran later and reset the response
// would drop the cookie of a session that is already stored. Outer middleware sees the response,
// but not the error.
//
// If Fiber's timeout middleware has answered the request, nothing is stored, since a cookie can no
// longer be sent. A change that the handler has made is reported as scskit.KindLate.
//
// Do not change the session in a body stream writer or a hijack handler. Fiber runs them
// concurrently with or after the handlers, when the session may already be stored.
//
// LoadAndSave panics if the manager's settings are unusable; see adapters.NewLifecycle.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) fiber.Handler {
	l := adapters.NewLifecycle(sm, opts...)
	return func(c fiber.Ctx) error {
		if l.Resume(c.RequestCtx()) != nil { // a middleware between may have replaced c.Context
			return c.Next()
		}
		req, err := l.Begin(c.Context(), c.Method(), decodedPath(c), incoming{c.RequestCtx()})
		if err != nil {
			return failed(c, err)
		}
		if req.Idle() {
			return c.Next()
		}
		defer req.Release()
		res := adapters.NewResponse(&c.Response().Header, req)
		outside := c.Context()
		c.SetContext(req.Context())
		req.Share(c.RequestCtx().SetUserValue)
		err = c.Next()
		if abandoned(outside, c) {
			res.Missed()
			return err
		}
		if err != nil {
			if err := c.App().ErrorHandler(c, err); err != nil {
				_ = c.SendStatus(http.StatusInternalServerError)
			}
		}
		if err := res.Finish(); err != nil {
			c.SetContext(outside)
			c.Response().ResetBody()
			c.RequestCtx().Hijack(nil)
			return failed(c, err)
		}
		if c.Response().IsBodyStream() || c.RequestCtx().Hijacked() {
			c.RequestCtx().SetUserValue(streamKey{sm}, closer(req.End))
		}
		return nil
	}
}

// abandoned reports whether the timeout middleware has answered the request. A timeout middleware
// outside marks c as abandoned shortly after it ends the context, so abandoned waits for up to a
// second.
func abandoned(outside context.Context, c fiber.Ctx) bool {
	if !errors.Is(outside.Err(), context.DeadlineExceeded) {
		return c.IsAbandoned()
	}
	// The wait is bounded: a deadline from elsewhere never marks c as abandoned.
	for range 1000 {
		if c.IsAbandoned() {
			return true
		}
		time.Sleep(time.Millisecond)
	}
	return false
}

// incoming is a request. Its methods do not ask Fiber, which may answer from X-Forwarded headers.
type incoming struct{ c *fasthttp.RequestCtx }

// Header returns a copy: fasthttp's bytes are views of buffers that the next request overwrites.
func (in incoming) Header(name string) []string {
	var lines []string
	for _, line := range in.c.Request.Header.PeekAll(name) {
		lines = append(lines, string(line))
	}
	return lines
}

func (in incoming) TLS() bool { return in.c.IsTLS() }

func (in incoming) Host() string { return string(in.c.Host()) }

// decodedPath returns the decoded path, as in the URL.Path of net/http.
func decodedPath(c fiber.Ctx) string {
	if c.App().Config().UnescapePath {
		return c.Path()
	}
	path, err := url.PathUnescape(c.Path())
	if err != nil {
		return c.Path()
	}
	return path
}

type streamKey struct{ sm *scs.SessionManager }

// closer is a user value of a request. fasthttp closes it after the response has been sent,
// including body streams and hijacked connections.
type closer func()

func (f closer) Close() error {
	defer func() {
		if p := recover(); p != nil { // from adapters.Strict; nothing else recovers it here
			slog.Error(fmt.Sprint(p))
		}
	}()
	f()
	return nil
}

// failed returns the error for Fiber, and sets the status for an ErrorHandler that leaves it.
func failed(c fiber.Ctx, err error) error {
	adapters.AddErrorHeader(&c.Response().Header, err)
	f := &failure{err, adapters.StatusCode(err)}
	c.Status(f.status)
	return f
}

// failure hides the text of an error, which Fiber's default handler would send to the client.
type failure struct {
	err    error
	status int
}

func (f *failure) Error() string { return http.StatusText(f.status) }

func (f *failure) Unwrap() error { return f.err }

// As makes the failure a *fiber.Error, from which error handlers take the status.
func (f *failure) As(target any) bool {
	e, ok := target.(**fiber.Error)
	if ok {
		if errors.As(f.err, e) {
			return true
		}
		*e = fiber.NewError(f.status, f.Error())
	}
	return ok
}
