// Command demo serves one session through Gin, Echo v4 and v5, Fiber v2 and v3, Chi and net/http at
// one address. Its page shows the session in each framework and compares scskit with stock scs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/scskit/scskit/stores"
	_ "modernc.org/sqlite" // for sqlite:PATH
)

func main() {
	listen := flag.String("listen", "localhost:8080", "`address` to listen on")
	usage := "`URL` of the backend:\n" + stores.Usage()
	store := flag.String("store", "sqlite:scskit-demo.db", usage)
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "demo: unexpected argument %q; set the store with -store\n", flag.Arg(0))
		os.Exit(2)
	}
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, release) // a second Ctrl-C ends the program at once
	if err := run(ctx, *listen, *store); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run serves the demo until ctx ends.
func run(ctx context.Context, listen, storeSpec string) (err error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("cannot listen on %s: %w; choose another address, for example with "+
			"-listen localhost:8081", listen, err)
	}
	defer listener.Close()
	d, err := newDemo(ctx, storeSpec, listener.Addr().String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()

	server := &http.Server{Handler: d, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute}
	server.RegisterOnShutdown(d.events.close) // Shutdown would wait for the event streams
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	fmt.Printf("scskit demo at %s\nsessions in %s; Ctrl-C stops\n", address(listener), d.place)

	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	fmt.Println("stopping")
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(grace)
}

// address returns the URL to open in a browser.
func address(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		return l.Addr().String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() || ip.IsLoopback() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
