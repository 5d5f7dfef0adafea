// Package scsfiber provides scs session middleware for Fiber v2.
package scsfiber

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/scskit/scskit/adapters"
)

// LoadAndSave returns middleware that loads the session of each request and stores it when the
// handlers have returned. Handlers pass c.UserContext() to the manager, or a context derived from
// it. Without adapters.Lazy, c.Context() works too. If the session cannot be loaded or stored, the
// middleware returns the error to the app's ErrorHandler. Fiber's default ErrorHandler sends only
// the status text.
//
// If a handler returns an error, the middleware calls the app's ErrorHandler itself, as Fiber's
// logger does, and does not return the error. An ErrorHandler that ran later and reset the response
// would drop the cookie of a session that is already stored. Outer middleware sees the response,
// but not the error.
//
// Do not change the session in a body stream writer or a hijack handler. Fiber runs them
// concurrently with or after the handlers, when the session may already be stored.
//
// LoadAndSave panics if the manager's settings are unusable; see adapters.NewLifecycle.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) fiber.Handler {
	l := adapters.NewLifecycle(sm, opts...)
	return func(c *fiber.Ctx) error {
		if l.Resume(c.Context()) != nil { // a middleware between may have replaced the UserContext
			return c.Next()
		}
		req, err := l.Begin(c.UserContext(), c.Method(), decodedPath(c), incoming{c})
		if err != nil {
			return failed(c, err)
		}
		if req.Idle() {
			return c.Next()
		}
		defer req.Release()
		res := adapters.NewResponse(&c.Response().Header, req)
		outside := c.UserContext()
		c.SetUserContext(req.Context())
		req.Share(c.Context().SetUserValue)
		if err := c.Next(); err != nil {
			if err := c.App().ErrorHandler(c, err); err != nil {
				_ = c.SendStatus(http.StatusInternalServerError)
			}
		}
		if err := res.Finish(); err != nil {
			c.SetUserContext(outside)
			c.Response().ResetBody()
			c.Context().Hijack(nil)
			return failed(c, err)
		}
		if c.Response().IsBodyStream() || c.Context().Hijacked() {
			c.Context().SetUserValue(streamKey{sm}, closer(req.End))
		}
		return nil
	}
}

// incoming is a request. Its methods do not ask Fiber, which may answer from X-Forwarded headers.
type incoming struct{ c *fiber.Ctx }

// Header returns a copy: fasthttp's bytes are views of buffers that the next request overwrites.
func (in incoming) Header(name string) []string {
	var lines []string
	for _, line := range in.c.Request().Header.PeekAll(name) {
		lines = append(lines, string(line))
	}
	return lines
}

func (in incoming) TLS() bool { return in.c.Context().IsTLS() }

func (in incoming) Host() string { return string(in.c.Context().Host()) }

// decodedPath returns the decoded path, as in the URL.Path of net/http.
func decodedPath(c *fiber.Ctx) string {
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
func failed(c *fiber.Ctx, err error) error {
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
