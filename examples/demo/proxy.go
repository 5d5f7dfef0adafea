package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
)

// behindProxy serves a framework that is built on fasthttp, such as Fiber, on its own listener on
// the loopback interface, behind a reverse proxy. Fiber's adaptor for net/http needs no proxy, but
// it converts every request and response. The demo would then test the adaptor, and not how Fiber's
// server reads cookies, reuses its buffers and writes headers.
func behindProxy(
	ctx context.Context, serve func(net.Listener) error, stop func() error,
) (_ http.Handler, shutdown func() error, err error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	served := make(chan error, 1)
	go func() { served <- serve(listener) }()
	transport := &http.Transport{MaxIdleConnsPerHost: cells}
	shutdown = func() error {
		transport.CloseIdleConnections() // stop would wait for unused connections
		err := stop()
		_ = listener.Close() // stop does nothing if the server has not started
		return errors.Join(err, <-served)
	}
	target := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	return &httputil.ReverseProxy{
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport: transport,
	}, shutdown, nil
}
