// Package scshertz keeps scs sessions in applications on Hertz. It is an example of an adapter of
// one's own, for a framework that is not on net/http. The test has its harness.
package scshertz

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"

	"github.com/alexedwards/scs/v2"
	"github.com/cloudwego/hertz/pkg/app"
	herrors "github.com/cloudwego/hertz/pkg/common/errors"

	"github.com/scskit/scskit/adapters"
)

// LoadAndSave returns middleware that loads the session of each request, and stores it when the
// handlers have returned. Handlers reach it through the manager, with their context. Failures abort
// the request with status 500 and are added to c.Errors, for middleware outside to answer. It
// panics if the manager's settings are unusable; see adapters.NewLifecycle.
//
// A handler that hijacks the response's writer, as those under adaptor.HertzHandler do, begins the
// response too early: what it changes in the session is lost, and c.Errors says so.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) app.HandlerFunc {
	l := adapters.NewLifecycle(sm, opts...)
	return func(ctx context.Context, c *app.RequestContext) {
		cookies := c.Request.Header.GetAll("Cookie") // and not PeekAll: Begin keeps them
		req, err := l.Begin(ctx, string(c.Method()), string(c.Path()), cookies)
		if err != nil {
			abort(c, err)
			return
		}
		if req.Idle() {
			c.Next(ctx)
			return
		}
		res := adapters.NewResponse(&c.Response.Header, req)
		c.Next(req.Context())
		if c.Response.GetHijackWriter() != nil {
			if sm.Status(req.Context()) != scs.Unmodified {
				_ = c.Error(errors.New("scshertz: the response had begun: the session is not stored"))
			}
			return
		}
		if err := res.Finish(); err != nil {
			c.Response.ResetBody()
			c.Hijack(nil)
			abort(c, err)
			return
		}
		if c.Response.IsBodyStream() {
			stream := &stream{c.Response.BodyStream(), req.End}
			c.Response.SetBodyStreamNoReset(stream, c.Response.Header.ContentLength())
		}
	}
}

// abort leaves the response to middleware outside, or else to Hertz, which sends the status.
func abort(c *app.RequestContext, err error) {
	if !slices.ContainsFunc(c.Errors, func(e *herrors.Error) bool { return errors.Is(e.Err, err) }) {
		_ = c.Error(err)
	}
	c.AbortWithStatus(http.StatusInternalServerError)
}

// stream tells when a body that is read after the handlers has been sent.
type stream struct {
	io.Reader
	end func()
}

func (s *stream) Close() error {
	defer s.end()
	if c, ok := s.Reader.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
