// Package scsgin provides scs session middleware for Gin.
package scsgin

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/alexedwards/scs/v2"
	"github.com/gin-gonic/gin"

	"github.com/scskit/scskit/adapters"
)

// LoadAndSave returns middleware that loads the session of each request and stores it before the
// response begins. Handlers pass c.Request.Context() to the manager, or c itself if the engine sets
// ContextWithFallback. If the session cannot be loaded or stored, the middleware adds the error to
// c.Errors and aborts with status 500; outer middleware can write the error page.
//
// LoadAndSave panics if the manager's settings are unusable; see adapters.NewLifecycle.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) gin.HandlerFunc {
	l := adapters.NewLifecycle(sm, opts...)
	mark := fmt.Sprintf("scskit/session/%p", sm)
	return func(c *gin.Context) {
		req, err := l.BeginHTTP(c.Request)
		if err != nil {
			abort(c, err)
			return
		}
		below, outer := c.Writer, c.Request
		if !req.Idle() {
			c.Request = outer.WithContext(req.Context())
		} else if _, within := c.Get(mark); !within {
			// Engine.HandleContext has reset the context and its writer, but kept the request.
			if resumed := l.Resume(outer.Context()); resumed != nil {
				req = resumed
			}
		}
		if req.Idle() {
			c.Next()
			return
		}
		w := &writer{ResponseWriter: below, session: adapters.NewWriter(below, req)}
		c.Writer = w
		c.Set(mark, true)
		defer func() {
			if c.Writer == gin.ResponseWriter(w) { // not the writer of an inner middleware
				c.Writer = below
			}
			adapters.GiveBack(outer, c.Request)
		}()
		w.session.Serve(c.Next)
		if below.Written() {
			w.session.Missed() // does nothing if the response began through w
		}
		if err := w.session.Finish(); err != nil {
			c.Writer = below
			abort(c, err)
		}
	}
}

// abort leaves the response to outer middleware. If none writes one, Gin sends the status.
func abort(c *gin.Context, err error) {
	// c.Render has already added the error if its write failed.
	known := func(e *gin.Error) bool { return errors.Is(e.Err, err) }
	if !slices.ContainsFunc(c.Errors, known) {
		_ = c.Error(err)
	}
	adapters.AddErrorHeader(c.Writer.Header(), err)
	c.Status(adapters.StatusCode(err))
	c.Abort()
}

// writer commits the session before Gin's own writer begins the response. It must override every
// method that can begin the response: the methods of the embedded writer do not commit.
type writer struct {
	gin.ResponseWriter
	session *adapters.Writer
}

// WriteHeaderNow sends the status that WriteHeader, which sends nothing, has set.
func (w *writer) WriteHeaderNow() {
	if w.session.Commit() {
		w.ResponseWriter.WriteHeaderNow()
	}
}

func (w *writer) Write(b []byte) (int, error) { return w.session.Write(b) }

func (w *writer) WriteString(s string) (int, error) { return w.session.WriteString(s) }

func (w *writer) Flush() { _ = w.session.FlushError() }

func (w *writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.session.CommitHijack() {
		return nil, nil, w.session.Err()
	}
	return w.ResponseWriter.Hijack()
}

func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }
