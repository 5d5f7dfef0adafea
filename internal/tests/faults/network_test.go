package faults_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/scskit/scskit/internal/testenv"
)

// network simulates the network between a client and the nodes of its server.
type network struct {
	proxies    map[string]*testenv.Proxy // by the port of the node
	lose       atomic.Bool
	generation atomic.Int64 // connections of earlier generations are dead
	missed     atomic.Int64 // replies on dead connections
}

// newNetwork puts a proxy in front of each node.
func newNetwork(tb testing.TB, addrs []string) *network {
	tb.Helper()
	n := &network{proxies: make(map[string]*testenv.Proxy)}
	for _, addr := range addrs {
		_, port, err := net.SplitHostPort(addr)
		if err != nil {
			tb.Fatal(err)
		}
		n.proxies[port] = testenv.NewProxy(tb, addr)
	}
	return n
}

// dial finds the proxy by the port alone, since a client may use another name of the host.
func (n *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	p, ok := n.proxies[port]
	if !ok {
		return nil, fmt.Errorf("there is no proxy for %s", addr)
	}
	conn, err := direct(ctx, network, p.Addr())
	if err != nil {
		return nil, err
	}
	return &lossy{conn.(*net.TCPConn), n, n.generation.Load()}, nil
}

func (n *network) each(f func(*testenv.Proxy)) {
	for _, p := range n.proxies {
		f(p)
	}
}

func (n *network) enable() { n.each((*testenv.Proxy).Enable) }

// loseReply drops the next reply on any connection, and closes the connection. Later replies
// arrive.
func (n *network) loseReply() { n.lose.Store(true) }

// forget drops all further replies on the open connections, without an error on either side. This
// happens when a firewall drops its state, or an address moves to another machine. New connections
// work.
func (n *network) forget() { n.generation.Add(1) }

// lossy is a connection that can lose replies.
type lossy struct {
	*net.TCPConn
	n          *network
	generation int64
}

var _ syscall.Conn = (*lossy)(nil) // clients use it to check idle connections

func (c *lossy) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	for err == nil && c.generation < c.n.generation.Load() {
		if n > 0 {
			c.n.missed.Add(1)
		}
		n, err = c.TCPConn.Read(b)
	}
	if n > 0 && c.n.lose.CompareAndSwap(true, false) {
		_ = c.Close()
		return 0, io.EOF
	}
	return n, err
}
