package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
)

// sample holds the latencies of requests in ascending order.
type sample []time.Duration

// at returns a quantile of the sample, by the nearest-rank method. It returns 0 for an empty
// sample.
func (s sample) at(quantile float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	return s[min(max(int(math.Ceil(quantile*float64(len(s))))-1, 0), len(s)-1)]
}

func measure(store *scskit.Store, turn time.Duration) (read, write sample, err error) {
	sm := scskit.New(store)
	mux := http.NewServeMux()
	mux.HandleFunc("/read", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, sm.GetString(r.Context(), "user"))
	})
	mux.HandleFunc("/write", func(w http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "visits", sm.GetInt(r.Context(), "visits")+1)
		_, _ = io.WriteString(w, sm.GetString(r.Context(), "user"))
	})
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not block
	if err != nil {
		return nil, nil, err
	}
	server := &http.Server{Handler: scshttp.LoadAndSave(sm)(mux), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	clients := make([]*client, connections)
	for i := range clients {
		if clients[i], err = dial(l.Addr().String(), sm); err != nil {
			return nil, nil, err
		}
		defer func() { _ = clients[i].conn.Close() }()
	}
	for _, m := range []struct {
		path string
		into *sample
	}{{"/read", &read}, {"/write", &write}} {
		// Open connections and fill caches before measuring.
		if _, err := busy(clients, m.path, turn/8); err != nil {
			return nil, nil, err
		}
		if *m.into, err = busy(clients, m.path, turn); err != nil {
			return nil, nil, err
		}
	}
	return read, write, nil
}

// busy makes every client send requests for the given time, and returns the latencies.
func busy(clients []*client, path string, d time.Duration) (sample, error) {
	var (
		wg    sync.WaitGroup
		times = make([]sample, len(clients))
		errs  = make([]error, len(clients))
		end   = time.Now().Add(d)
	)
	for i, c := range clients {
		wg.Go(func() {
			for begin := time.Now(); begin.Before(end) && errs[i] == nil; {
				errs[i] = c.do(path)
				now := time.Now()
				times[i] = append(times[i], now.Sub(begin))
				begin = now
			}
		})
	}
	wg.Wait()
	all := slices.Concat(times...)
	slices.Sort(all)
	return all, errors.Join(errs...)
}

const user = "8f14e45f-ceea-467f-9575-6d2b5f2e0a11"

// client is one connection with a session.
type client struct {
	conn   net.Conn
	r      *bufio.Reader
	cookie string
}

func dial(addr string, sm *scs.SessionManager) (*client, error) {
	ctx, err := sm.Load(context.Background(), "")
	if err != nil {
		return nil, err
	}
	sm.Put(ctx, "user", user)
	sm.Put(ctx, "visits", 41)
	sm.Put(ctx, "theme", "dark")
	token, _, err := sm.Commit(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("tcp", addr) //nolint:noctx // a port of this machine
	if err != nil {
		return nil, err
	}
	return &client{conn: conn, r: bufio.NewReader(conn), cookie: sm.Cookie.Name + "=" + token}, nil
}

// do makes one request and checks the response.
func (c *client) do(path string) error {
	const request = "GET %s HTTP/1.1\r\nHost: latency\r\nCookie: %s\r\n\r\n"
	if _, err := fmt.Fprintf(c.conn, request, path, c.cookie); err != nil {
		return err
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK || string(body) != user {
		return fmt.Errorf("unexpected response %s, %q", resp.Status, body)
	}
	return nil
}
