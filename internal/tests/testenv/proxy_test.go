package testenv_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scskit/scskit/internal/testenv"
)

// ask sends PING over a connection, and returns the reply.
func ask(conn net.Conn) (string, error) {
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimRight(line, "\r\n"), err
}

func connect(t *testing.T, addr string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

func TestProxyFaults(t *testing.T) {
	upstream := testenv.Redis(t)
	impatient := func(conn net.Conn) error {
		return conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	}
	tests := []struct {
		name  string
		fault func(*testenv.Proxy)
		check func(t *testing.T, open, fresh net.Conn)
	}{
		{"hang", (*testenv.Proxy).Hang, func(t *testing.T, open, fresh net.Conn) {
			for _, conn := range []net.Conn{open, fresh} {
				if err := impatient(conn); err != nil {
					t.Fatal(err)
				}
				if reply, err := ask(conn); !isTimeout(err) {
					t.Errorf("got %q, %v; want a timeout", reply, err)
				}
			}
		}},
		{"hang replies", (*testenv.Proxy).HangReplies, func(t *testing.T, _, fresh net.Conn) {
			key := testenv.Name(t)
			if err := impatient(fresh); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(fresh, "SET "+key+" 1\r\nPING\r\n"); err != nil {
				t.Fatal(err)
			}
			if n, err := fresh.Read(make([]byte, 1)); n > 0 || !isTimeout(err) {
				t.Errorf("got %d bytes, %v; want a timeout", n, err)
			}
			direct := connect(t, upstream)
			replies := bufio.NewReader(direct)
			for line := ":0\r\n"; line != ":1\r\n"; { // until the server has executed the write
				if _, err := io.WriteString(direct, "EXISTS "+key+"\r\n"); err != nil {
					t.Fatalf("after %q: %v", line, err)
				}
				if line, _ = replies.ReadString('\n'); line != ":0\r\n" && line != ":1\r\n" {
					t.Fatalf("EXISTS: %q, want 0 or 1", line)
				}
			}
		}},
		{"slow", func(p *testenv.Proxy) { p.Slow(300 * time.Millisecond) },
			func(t *testing.T, open, fresh net.Conn) {
				for _, conn := range []net.Conn{open, fresh} {
					begin := time.Now()
					if reply, err := ask(conn); reply != "+PONG" || err != nil {
						t.Errorf("got %q, %v", reply, err)
					}
					if took := time.Since(begin); took < 250*time.Millisecond {
						t.Errorf("reply after %s, want at least 250ms", took)
					}
				}
			}},
		{"reset", (*testenv.Proxy).Reset, func(t *testing.T, open, fresh net.Conn) {
			if reply, err := ask(fresh); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %q, %v; want a reset", reply, err)
			}
			if reply, err := ask(open); reply != "" || err == nil || isTimeout(err) {
				t.Errorf("open connection: got %q, %v; want it closed", reply, err)
			}
		}},
		{"cut", func(p *testenv.Proxy) { p.CutAfter(3) }, func(t *testing.T, open, fresh net.Conn) {
			for _, conn := range []net.Conn{open, fresh} {
				if reply, err := ask(conn); reply != "+PO" || !errors.Is(err, io.EOF) {
					t.Errorf("got %q, %v; want 3 bytes and io.EOF", reply, err)
				}
			}
		}},
		{"cut requests", func(p *testenv.Proxy) { p.CutRequestsAfter(3) },
			func(t *testing.T, open, fresh net.Conn) {
				for _, conn := range []net.Conn{open, fresh} {
					if reply, err := ask(conn); reply != "" || err == nil || isTimeout(err) {
						t.Errorf("got %q, %v; want the connection closed", reply, err)
					}
				}
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := testenv.NewProxy(t, upstream)
			open := connect(t, p.Addr())
			if reply, err := ask(open); reply != "+PONG" || err != nil {
				t.Fatalf("new proxy: got %q, %v", reply, err)
			}
			test.fault(p)
			test.check(t, open, connect(t, p.Addr()))
			p.Enable()
			if reply, err := ask(connect(t, p.Addr())); reply != "+PONG" || err != nil {
				t.Errorf("after Enable: got %q, %v", reply, err)
			}
		})
	}
}

func TestProxyRefuse(t *testing.T) {
	p := testenv.NewProxy(t, testenv.Redis(t))
	open := connect(t, p.Addr())
	if _, err := ask(open); err != nil {
		t.Fatal(err)
	}
	p.Refuse()
	if reply, err := ask(open); err == nil || isTimeout(err) {
		t.Errorf("open connection: got %q, %v; want it closed", reply, err)
	}
	if conn, err := net.Dial("tcp", p.Addr()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("new connection: %v, %v; want it refused", conn, err)
	}
	p.Enable()
	if reply, err := ask(connect(t, p.Addr())); reply != "+PONG" || err != nil {
		t.Errorf("after Enable: got %q, %v", reply, err)
	}
}
