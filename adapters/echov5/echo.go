// Package scsecho keeps scs sessions in applications on Echo v5.
package scsecho

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v5"

	"github.com/scskit/scskit/adapters"
)

// LoadAndSave returns middleware that loads the session of each request, and stores it before the
// response begins. Handlers reach it through the manager, with c.Request().Context(). Failures are
// returned, for Echo's HTTPErrorHandler. It panics if the manager's settings are unusable; see
// adapters.NewLifecycle.
//
// After a handler has returned an error the session is stored when the error handler
// writes its response.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) echo.MiddlewareFunc {
	l := adapters.NewLifecycle(sm, opts...)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c *echo.Context) error {
			r := c.Request()
			req, err := l.Begin(r.Context(), r.Method, r.URL.Path, r.Header["Cookie"])
			if err != nil {
				return err
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
			if failed := w.Finish(); failed != nil {
				// Echo takes the response for sent. Nothing was, and the error handler must see so.
				p.put(p.below)
				if p.response != nil {
					p.response.Committed, p.response.Size, p.response.Status = false, 0, http.StatusOK
				}
				return failed
			}
			if err != nil {
				w.Leave(nil) // the response has begun, and the error handler is yet to run
			}
			return err
		}
	}
}

// place is where the session's writer goes: below Echo's response, so that what is registered with
// its Before still reaches the session. If middleware outside has put a writer over Echo's response
// it goes over that, since such a writer may hold a response back.
type place struct {
	c        *echo.Context
	outer    http.ResponseWriter // the context's, as it was found
	response *echo.Response      // nil if outer does not tell
	below    http.ResponseWriter // what the session's writer writes to
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

// direct reports whether nothing is over Echo's response.
func (p *place) direct() bool { return p.response != nil && p.outer == p.response }

// put puts a writer in the place. What middleware inside has left over it is dropped: it may use
// that for another request by now.
func (p *place) put(w http.ResponseWriter) {
	if p.direct() {
		p.c.SetResponse(p.outer)
		p.response.ResponseWriter = w
		return
	}
	p.c.SetResponse(w)
}

// leave has the session stored when the error handler begins its response. By then middleware
// outside may have put back the writer that it found, so that the session's goes to the bottom.
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
