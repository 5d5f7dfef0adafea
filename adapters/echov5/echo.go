// Package scsecho provides scs session middleware for Echo v5.
package scsecho

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v5"

	"github.com/scskit/scskit/adapters"
)

// LoadAndSave returns middleware that loads the session of each request and stores it before the
// response begins. Handlers pass c.Request().Context() to the manager. If the session cannot be
// loaded or stored, the middleware returns the error to Echo's HTTPErrorHandler.
//
// If a handler returns an error, the session is stored when the HTTPErrorHandler writes its
// response.
//
// LoadAndSave panics if the manager's settings are unusable; see adapters.NewLifecycle.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) echo.MiddlewareFunc {
	l := adapters.NewLifecycle(sm, opts...)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			r := c.Request()
			req, err := l.BeginHTTP(r)
			if err != nil {
				return failed(c, err)
			}
			if req.Idle() {
				return next(c)
			}
			p := placeIn(c)
			w := adapters.NewWriter(p.below, req)
			p.put(w.Handler())
			c.SetRequest(r.WithContext(req.Context()))
			returned := false
			defer func() {
				if !returned {
					p.put(p.below)
				}
				adapters.GiveBack(r, c.Request())
			}()
			w.Serve(func() { err = next(c) })
			returned = true
			if err != nil && !w.Settled() {
				p.leave(w, l)
				return err
			}
			if failure := w.Finish(); failure != nil {
				// Echo has marked the response as sent, but nothing was sent: reset it for the error
				// handler.
				p.put(p.below)
				if p.response != nil {
					p.response.Committed, p.response.Size, p.response.Status = false, 0, http.StatusOK
				}
				return failed(c, failure)
			}
			if err != nil {
				w.Leave(nil) // the response has begun, and the error handler runs next
			}
			return err
		}
	}
}

// failed returns the error for the HTTPErrorHandler.
func failed(c *echo.Context, err error) error {
	adapters.AddErrorHeader(c.Response().Header(), err)
	return err
}

// place is where the session's writer goes: below Echo's response, so that functions registered
// with Response.Before can still change the session. If outer middleware has put a writer over
// Echo's response, the session's writer goes over that one, since it may hold the response back.
type place struct {
	c        *echo.Context
	outer    http.ResponseWriter // the context's response before the middleware ran
	response *echo.Response      // nil if outer does not unwrap to one
	below    http.ResponseWriter // the session's writer writes to it
}

func placeIn(c *echo.Context) place {
	p := place{c: c, outer: c.Response()}
	p.response, _ = echo.UnwrapResponse(p.outer)
	p.below = p.outer
	if p.direct() {
		p.below = p.response.ResponseWriter
	}
	return p
}

// direct reports whether no middleware has put a writer over Echo's response.
func (p *place) direct() bool { return p.response != nil && p.outer == p.response }

// put puts a writer in the place. It drops any writer that an inner middleware has left on top,
// since the middleware may now use it for another request.
func (p *place) put(w http.ResponseWriter) {
	if p.direct() {
		p.c.SetResponse(p.outer)
		p.response.ResponseWriter = w
		return
	}
	p.c.SetResponse(w)
}

// leave makes the error handler's first write store the session. Outer middleware may restore its
// own writer before that, so leave puts the session's writer at the bottom.
func (p *place) leave(w *adapters.Writer, l *adapters.Lifecycle) {
	c := p.c
	w.Leave(func(below http.ResponseWriter, err error) { l.HandleError(below, c.Request(), err) })
	if p.response != nil && !p.direct() {
		w = w.Over(p.response.ResponseWriter)
		p.response.ResponseWriter = w.Handler()
		c.SetResponse(p.outer)
		return
	}
	p.put(w.Handler())
}
