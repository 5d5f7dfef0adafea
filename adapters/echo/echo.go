// Package scsecho keeps scs sessions in applications on Echo v4.
package scsecho

import (
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

	"github.com/scskit/scskit/adapters"
)

// LoadAndSave returns middleware that loads the session of each request, and stores it before the
// response begins. Handlers reach it through the manager, with c.Request().Context(). Failures are returned, for
// Echo's HTTPErrorHandler. It panics if the manager's settings are unusable; see adapters.New.
//
// After a handler has returned an error the session is stored when the error handler
// writes its response.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) echo.MiddlewareFunc {
	l := adapters.New(sm, opts...)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			r, res := c.Request(), c.Response()
			req, err := l.Begin(r.Context(), r.Method, r.URL.Path, r.Header["Cookie"])
			if err != nil {
				return err
			}
			if req == nil {
				return next(c)
			}
			below := res.Writer
			w := adapters.NewWriter(below, req)
			res.Writer = w.Handler()
			c.SetRequest(r.WithContext(req.Context()))
			returned := false
			defer func() {
				if !returned { // a panic: a recovery middleware must not commit
					w.Disarm()
					res.Writer = below
				}
			}()
			err = next(c)
			returned = true
			if err != nil && !w.Settled() {
				w.Leave(func(failed error) { l.HandleError(below, r, failed) })
				return err
			}
			if failed := w.Finish(); failed != nil {
				// Echo takes the response for sent. Nothing was, and the error handler must see so.
				res.Committed, res.Size, res.Status = false, 0, http.StatusOK
				return failed
			}
			return err
		}
	}
}
