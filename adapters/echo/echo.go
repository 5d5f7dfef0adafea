// Package scsecho provides scs session middleware for Echo v4.
package scsecho

import (
	"errors"
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/labstack/echo/v4"

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
		return func(c echo.Context) error {
			r, res := c.Request(), c.Response()
			req, err := l.BeginHTTP(r)
			if err != nil {
				return failed(c, err)
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
			if failure := w.Finish(); failure != nil {
				// Echo has marked the response as sent, but nothing was sent: reset it for the error
				// handler. An inner middleware may have left a writer that it now uses for another
				// request.
				res.Writer, res.Committed, res.Size, res.Status = below, false, 0, http.StatusOK
				return failed(c, failure)
			}
			if err != nil {
				w.Leave(nil) // the response has begun, and the error handler runs next
			}
			return err
		}
	}
}

// failed returns the error for the HTTPErrorHandler, which takes the status from an echo.HTTPError.
func failed(c echo.Context, err error) error {
	adapters.AddErrorHeader(c.Response().Header(), err)
	if he := (*echo.HTTPError)(nil); errors.As(err, &he) {
		return &echo.HTTPError{Code: he.Code, Message: he.Message, Internal: err}
	}
	if code := adapters.StatusCode(err); code != http.StatusInternalServerError {
		return &echo.HTTPError{Code: code, Message: http.StatusText(code), Internal: err}
	}
	return err
}

// leave makes the error handler's first write store the session. Outer middleware such as Gzip and
// Timeout may restore its own writer before that; leave then puts the session's writer on top.
func leave(c echo.Context, w *adapters.Writer, l *adapters.Lifecycle) {
	res := c.Response()
	res.Writer = w.Handler() // an inner middleware may have left its own
	w.Leave(func(below http.ResponseWriter, err error) { l.HandleError(below, c.Request(), err) })
	res.Before(func() {
		if !w.Settled() && !w.Owns(res.Writer) {
			w = w.Over(res.Writer)
			res.Writer = w.Handler()
		}
	})
}
