// Package scshertz provides scs session middleware for Hertz. It is an example of an adapter for a
// framework that is not built on net/http. Its conformance harness is in the tests.
package scshertz

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/alexedwards/scs/v2"
	"github.com/cloudwego/hertz/pkg/app"
	herrors "github.com/cloudwego/hertz/pkg/common/errors"
	"github.com/cloudwego/hertz/pkg/network"

	"github.com/scskit/scskit/adapters"
)

// LoadAndSave returns middleware that loads the session of each request and stores it when the
// handlers have returned. Handlers pass their context to the manager. If the session cannot be
// loaded or stored, the middleware adds the error to c.Errors and aborts with status 500; outer
// middleware can write the error page.
//
// A handler that hijacks the response's writer, as adaptor.HertzHandler does, sends the response
// before the session is stored. If it has changed the session, the change is lost and the
// middleware adds an error to c.Errors.
//
// LoadAndSave panics if the manager's settings are unusable; see adapters.NewLifecycle.
func LoadAndSave(sm *scs.SessionManager, opts ...adapters.Option) app.HandlerFunc {
	l := adapters.NewLifecycle(sm, opts...)
	return func(ctx context.Context, c *app.RequestContext) {
		req, err := l.Begin(ctx, string(c.Method()), string(c.Path()), incoming{c})
		if err != nil {
			abort(c, err)
			return
		}
		if req.Idle() {
			c.Next(ctx)
			return
		}
		defer req.Release() // of adapters.Lock, if a handler panics
		res := adapters.NewResponse(&c.Response.Header, req)
		c.Next(req.Context())
		if c.Response.GetHijackWriter() != nil {
			if sm.Status(req.Context()) != scs.Unmodified {
				_ = c.Error(errors.New("scshertz: session not stored: the response has already begun"))
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

// incoming is a request.
type incoming struct{ c *app.RequestContext }

// Header returns a copy, since Begin keeps the lines.
func (in incoming) Header(name string) []string { return in.c.Request.Header.GetAll(name) }

func (in incoming) TLS() bool {
	_, ok := in.c.GetConn().(network.ConnTLSer)
	return ok
}

func (in incoming) Host() string { return string(in.c.Host()) }

// abort leaves the response to outer middleware. If none writes one, Hertz sends the status.
func abort(c *app.RequestContext, err error) {
	known := func(e *herrors.Error) bool { return errors.Is(e.Err, err) }
	if !slices.ContainsFunc(c.Errors, known) {
		_ = c.Error(err)
	}
	adapters.AddErrorHeader(&c.Response.Header, err)
	c.AbortWithStatus(adapters.StatusCode(err))
}

// stream calls end when Hertz closes the body stream, after it has sent it.
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
