package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/scskit/scskit/internal/stats"
)

type loadRequest struct {
	Addr    string
	Control string
	Time    time.Duration
	Cookies []string // one per connection
	Keys    []string // one per connection
	Body    string   // the expected body of each response
}

// figures are the measurements of one turn of the load generator.
type figures struct {
	PerSecond float64       // requests
	Median    time.Duration // of a request, as the client sees it

	// Per request, for the whole process of the server.
	Allocs float64
	Bytes  float64
	CPU    time.Duration // 0 if it is not available
}

// load is the load generator. It writes prepared requests and reads the responses, with as little
// work as possible, since it shares the processors with the server that it measures.
func load(in io.Reader, out io.Writer) error {
	runtime.GOMAXPROCS(1)
	var req loadRequest
	if err := json.NewDecoder(in).Decode(&req); err != nil {
		return err
	}
	clients := make([]*client, len(req.Cookies))
	for i := range clients {
		c, err := dial(req.Addr, req.Keys[i], req.Cookies[i], req.Body)
		if err != nil {
			return err
		}
		defer func() { _ = c.conn.Close() }()
		clients[i] = c
	}
	// Open the connections of the Redis client and fill buffers and pools before measuring.
	if err := busy(clients, req.Time/5); err != nil {
		return err
	}
	for _, c := range clients {
		c.times = make([]time.Duration, 0, 1<<16)
	}
	before, err := usage(req.Control)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := busy(clients, req.Time); err != nil {
		return err
	}
	took := time.Since(begin)
	after, err := usage(req.Control)
	if err != nil {
		return err
	}
	var times []time.Duration
	for _, c := range clients {
		times = append(times, c.times...)
	}
	n := float64(len(times))
	return json.NewEncoder(out).Encode(figures{
		PerSecond: n / took.Seconds(),
		Median:    stats.Median(times),
		Allocs:    float64(after.Allocs-before.Allocs) / n,
		Bytes:     float64(after.Bytes-before.Bytes) / n,
		CPU:       (after.CPU - before.CPU) / time.Duration(len(times)),
	})
}

// busy makes every client send requests for the given time, and returns their errors.
func busy(clients []*client, d time.Duration) error {
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	end := time.Now().Add(d)
	for i, c := range clients {
		wg.Go(func() {
			for begin := time.Now(); begin.Before(end) && errs[i] == nil; {
				errs[i] = c.do()
				now := time.Now()
				c.times = append(c.times, now.Sub(begin))
				begin = now
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// client is one connection.
type client struct {
	conn    net.Conn
	r       *bufio.Reader
	request []byte
	body    string
	times   []time.Duration
}

func dial(addr, key, cookie, body string) (*client, error) {
	conn, err := net.Dial("tcp", addr) //nolint:noctx // a port of this machine
	if err != nil {
		return nil, err
	}
	request := fmt.Sprintf("GET /?%s HTTP/1.1\r\nHost: %s\r\nCookie: %s\r\n\r\n", key, addr, cookie)
	return &client{conn: conn, r: bufio.NewReader(conn), request: []byte(request), body: body}, nil
}

// do makes one request and checks the response.
func (c *client) do() error {
	if _, err := c.conn.Write(c.request); err != nil {
		return err
	}
	length := -1
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return err
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			return fmt.Errorf("unexpected status line: %s", line)
		}
		if len(line) == len("\r\n") {
			break
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
	if length != len(c.body) {
		return fmt.Errorf("body of %d bytes, want %d", length, len(c.body))
	}
	body, err := c.r.Peek(length)
	if err != nil {
		return err
	}
	if string(body) != c.body {
		return fmt.Errorf("body %q, want %q", body, c.body)
	}
	_, err = c.r.Discard(length)
	return err
}

// usage returns what the server's process has used so far.
func usage(control string) (u used, err error) {
	resp, err := http.Get("http://" + control) //nolint:noctx // a port of this machine
	if err != nil {
		return u, err
	}
	defer func() { _ = resp.Body.Close() }()
	return u, json.NewDecoder(resp.Body).Decode(&u)
}
