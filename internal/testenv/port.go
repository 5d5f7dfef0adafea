package testenv

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

var (
	portsMu sync.Mutex
	ports   = map[int]bool{}
)

// freeAddr returns an address of 127.0.0.1 on which no server listens. It never returns the same
// address twice.
//
// The port lies below the ephemeral range. A client that keeps dialling an ephemeral port while the
// server is down may get this port for its own end, and so connect to itself. The server could not
// listen on the port any more.
func freeAddr() (string, error) {
	portsMu.Lock()
	defer portsMu.Unlock()
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		if ports[port] {
			continue
		}
		addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		l, err := net.Listen("tcp", addr) //nolint:noctx // does not block
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			return "", err
		}
		ports[port] = true
		return addr, nil
	}
	return "", errors.New("no free port between 20000 and 32000")
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}
