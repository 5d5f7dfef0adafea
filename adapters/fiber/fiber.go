// Package scsfiber keeps scs sessions in applications on Fiber v2.
package scsfiber

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/url"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/scskit/scskit/adapters"
)

// LoadAndSave returns middleware that loads the session of each request, and stores it when the
// handlers have returned. Handlers reach it through the manager, with c.UserContext(), and unless
// the session is Lazy with c.Context(), or a context made from either. Failures are returned, for
// the app's ErrorHandler; its default sends no more than the status text. It panics if the
// manager's settings are unusable; see adapters.NewLifecycle.
//
// An error of a handler is given to the app's ErrorHandler here, as Fiber's own logger does, and
// not returned: a handler that resets the response would drop the cookie of a session that was
// stored. Middleware outside sees the response, but not the error.
//
// What a body stream writer or a hijack handler changes in the session comes too late: Fiber runs
// them beside or after its handlers.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) fiber.Handler {
	l := adapters.NewLifecycle(sm, opts...)
	return func(c *fiber.Ctx) error {
		if l.Resume(c.Context()) != nil { // and no UserContext of a middleware between hides it
			return c.Next()
		}
		req, err := l.Begin(c.UserContext(), c.Method(), decodedPath(c), cookieLines(c))
		if err != nil {
			return &failure{err}
		}
		if req.Idle() {
			return c.Next()
		}
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
			c.Status(http.StatusInternalServerError)
			return &failure{err}
		}
		if c.Response().IsBodyStream() || c.Context().Hijacked() {
			c.Context().SetUserValue(streamKey{sm}, closer(req.End))
		}
		return nil
	}
}

// cookieLines returns a copy of the Cookie header: Fiber's bytes are views of
// buffers that the next request overwrites.
func cookieLines(c *fiber.Ctx) []string {
	var lines []string
	for _, line := range c.Request().Header.PeekAll(fiber.HeaderCookie) {
		lines = append(lines, string(line))
	}
	return lines
}

// decodedPath returns the path as net/http has it.
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

// closer is called by fasthttp, which closes the values of a request when its response,
// body streams, hijacked connections and all, has been sent.
type closer func()

func (f closer) Close() error {
	defer func() {
		if p := recover(); p != nil { // Strict; nothing else would stop it here
			slog.Error(fmt.Sprint(p))
		}
	}()
	f()
	return nil
}

// failure hides the text of an error, which Fiber's default handler would show to the client.
type failure struct{ err error }

func (*failure) Error() string { return http.StatusText(http.StatusInternalServerError) }

func (f *failure) Unwrap() error { return f.err }
