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

// network is what lies between a client and the nodes of its server.
type network struct {
	proxies map[string]*testenv.Proxy // by the port of the node
	lose    atomic.Bool
	age     atomic.Int64 // connections of an earlier age are dead
	missed  atomic.Int64 // replies on dead connections
}

// newNetwork puts a proxy before each node.
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

// dial goes by the port alone: a client may know the node by another name of its host.
func (n *network) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	p, ok := n.proxies[port]
	if !ok {
		return nil, fmt.Errorf("there is no proxy before %s", addr)
	}
	conn, err := direct(ctx, network, p.Addr())
	if err != nil {
		return nil, err
	}
	return &lossy{conn.(*net.TCPConn), n, n.age.Load()}, nil
}

func (n *network) each(f func(*testenv.Proxy)) {
	for _, p := range n.proxies {
		f(p)
	}
}

func (n *network) enable() { n.each((*testenv.Proxy).Enable) }

// loseReply has the next reply on any connection lost, and the connection with it. Those after it
// are well.
func (n *network) loseReply() { n.lose.Store(true) }

// forget has no reply come any more on the connections that are open, and neither side learn of it,
// as when a firewall forgets them or an address moves to another machine. New ones are well.
func (n *network) forget() { n.age.Add(1) }

// lossy is a connection that may lose a reply, or all of them.
type lossy struct {
	*net.TCPConn
	n   *network
	age int64
}

var _ syscall.Conn = (*lossy)(nil) // with which clients look at idle connections

func (c *lossy) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	for err == nil && c.age < c.n.age.Load() {
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
