package scshertz_test

import (
	"io"
	"net/http"

	"github.com/cloudwego/hertz/pkg/common/adaptor"
	"github.com/cloudwego/hertz/pkg/network"

	"github.com/scskit/scskit/conformance"
)

// The optional methods of a harness enable more checks. hertzContext has no EarlyHints, since Hertz
// cannot send them. It has no Reset: error handlers in Hertz are outer middleware and would remove
// the session's cookie.
var _ interface {
	conformance.Renderer
	conformance.Streamer
	conformance.Upgrader
	conformance.Mounter
} = hertzContext{}

func (c hertzContext) JSON(status int, v any) error {
	c.c.JSON(status, v)
	return nil
}

func (c hertzContext) File(name string) error {
	c.c.File(name)
	return nil
}

func (c hertzContext) Redirect(status int, url string) error {
	c.c.Redirect(status, []byte(url))
	return nil
}

func (c hertzContext) Stream(write func(io.Writer, func() error) error) error {
	r, w := io.Pipe()
	c.c.SetBodyStream(r, -1)
	go func() { _ = w.CloseWithError(write(w, func() error { return nil })) }()
	return nil
}

func (c hertzContext) Upgrade(protocol string, serve func(io.ReadWriter)) error {
	c.c.SetStatusCode(http.StatusSwitchingProtocols)
	c.SetHeader("Connection", "Upgrade")
	c.SetHeader("Upgrade", protocol)
	c.c.Hijack(func(conn network.Conn) { serve(conn) })
	return nil
}

// Mount buffers the response. adaptor.HertzHandler does not: it sends it at once.
//
//nolint:staticcheck // the functions are deprecated in favour of HertzHandler
func (c hertzContext) Mount(h http.Handler) error {
	r, err := adaptor.GetCompatRequest(&c.c.Request)
	if err != nil {
		return err
	}
	h.ServeHTTP(adaptor.GetCompatResponseWriter(&c.c.Response), r.WithContext(c.ctx))
	return nil
}
