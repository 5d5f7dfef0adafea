// Package scsecho keeps scs sessions in applications on Echo v4.
package scsecho

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

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
		return func(c echo.Context) error {
			r, res := c.Request(), c.Response()
			req, err := l.Begin(r.Context(), r.Method, r.URL.Path, r.Header["Cookie"])
			if err != nil {
				return err
			}
			if req.Idle() {
				return next(c)
			}
			below := res.Writer
			w := adapters.NewWriter(below, req)
			res.Writer = w.Handler()
			c.SetRequest(r.WithContext(req.Context()))
			returned := false
			defer func() {
				if !returned && w.Owns(res.Writer) {
					res.Writer = below
				}
				adapters.GiveBack(r, c.Request())
			}()
			w.Serve(func() { err = next(c) })
			returned = true
			if err != nil && !w.Settled() {
				leave(c, w, l)
				return err
			}
			if failed := w.Finish(); failed != nil {
				// Echo takes the response for sent. Nothing was, and the error handler must see so.
				// A middleware inside may have left a writer that it uses for another request by
				// now.
				res.Writer, res.Committed, res.Size, res.Status = below, false, 0, http.StatusOK
				return failed
			}
			if err != nil {
				w.Leave(nil) // the response has begun, and the error handler is yet to run
			}
			return err
		}
	}
}

// leave has the session stored when the error handler begins its response. By then middleware
// outside may have put back the writer that it found, as Gzip and Timeout do: the session's
// writer is put over it.
func leave(c echo.Context, w *adapters.Writer, l *adapters.Lifecycle) {
	res := c.Response()
	res.Writer = w.Handler() // a middleware inside may have left its own
	w.Leave(func(below http.ResponseWriter, err error) { l.HandleError(below, c.Request(), err) })
	res.Before(func() {
		if !w.Settled() && !w.Owns(res.Writer) {
			w = w.Over(res.Writer)
			res.Writer = w.Handler()
		}
	})
}
