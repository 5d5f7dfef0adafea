package roundtrips

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// wire is a TCP proxy that counts round trips. A round trip starts when the client sends data after
// the server did. The parts of a request or reply count as one, and a greeting does not count.
type wire struct {
	addr  string
	count atomic.Int64
	// skip, if not nil, reports whether a request with this beginning does not count. It must be
	// set before the first connection.
	skip func(request []byte) bool
}

func newWire(tb testing.TB, upstream string) *wire {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	w := &wire{addr: listener.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { w.join(ctx, client, upstream) })
		}
	})
	tb.Cleanup(func() {
		cancel()
		_ = listener.Close()
		all.Wait()
	})
	return w
}

// join copies data in both directions until one side closes its connection or ctx ends.
func (w *wire) join(ctx context.Context, client net.Conn, upstream string) {
	defer func() { _ = client.Close() }()
	server, err := new(net.Dialer).DialContext(ctx, "tcp", upstream)
	if err != nil {
		return
	}
	defer func() { _ = server.Close() }()
	ctx, cancel := context.WithCancel(ctx)
	var answered atomic.Bool
	answered.Store(true)
	go func() {
		defer cancel()
		pass(server, client, func(sent []byte) {
			if answered.Swap(false) && (w.skip == nil || !w.skip(sent)) {
				w.count.Add(1)
			}
		})
	}()
	go func() {
		defer cancel()
		pass(client, server, func([]byte) { answered.Store(true) })
	}()
	<-ctx.Done()
}

// pass copies data from one connection to another. It calls seen before it writes, so that seen
// runs before any reaction to the data.
func pass(to, from net.Conn, seen func([]byte)) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			seen(buf[:n])
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
