package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// behindProxy serves a framework that does not run on net/http but on fasthttp, as Fiber does. It
// has a listener of its own on the loopback interface, behind a reverse proxy. Fiber's adaptor
// for net/http would need none, but it converts every request and response: what would be shown is
// the adaptor, and not how Fiber's server reads cookies, uses its buffers again and writes headers.
func behindProxy(ctx context.Context, serve func(net.Listener) error,
	stop func() error) (_ http.Handler, shutdown func() error, err error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	served := make(chan error, 1)
	go func() { served <- serve(listener) }()
	transport := &http.Transport{MaxIdleConnsPerHost: cells}
	shutdown = func() error {
		transport.CloseIdleConnections() // stop would wait for those that were dialled and never used
		err := stop()
		_ = listener.Close() // if the server has not begun, stop does nothing
		return errors.Join(err, <-served)
	}
	target := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport,
	}, shutdown, nil
}
