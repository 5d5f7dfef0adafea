package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Proxy is a TCP proxy of one test that can simulate network faults. A new Proxy has none. Faults
// add up until [Proxy.Enable], and apply to open and new connections. A Proxy is safe for
// concurrent use, but its methods call tb.Fatal if they fail, which is allowed only on the test's
// goroutine.
type Proxy struct {
	tb      testing.TB
	control string // the address of toxiproxy's API
	name    string
	addr    string
}

// NewProxy starts a proxy in front of upstream, host:port, and removes it when the test ends.
func NewProxy(tb testing.TB, upstream string) *Proxy {
	tb.Helper()
	skip(tb, "toxiproxy")
	control, err := toxiproxy()
	if err != nil {
		tb.Fatal(err)
	}
	addr, err := freeAddr()
	if err != nil {
		tb.Fatal(err)
	}
	p := &Proxy{tb: tb, control: control, name: Name(tb), addr: addr}
	p.call(http.MethodPost, "/proxies", map[string]any{
		"name": p.name, "listen": addr, "upstream": upstream, "enabled": true,
	})
	tb.Cleanup(func() { _ = p.try(http.MethodDelete, "/proxies/"+p.name, nil, nil) })
	return p
}

// Addr returns the address of the proxy, host:port.
func (p *Proxy) Addr() string { return p.addr }

// Refuse closes all connections and refuses new ones.
func (p *Proxy) Refuse() {
	p.tb.Helper()
	p.call(http.MethodPost, "/proxies/"+p.name, map[string]any{"enabled": false})
}

// Enable ends all faults. Connections that hung are closed.
func (p *Proxy) Enable() {
	p.tb.Helper()
	var state struct {
		Toxics []struct {
			Name string `json:"name"`
		} `json:"toxics"`
	}
	if err := p.try(http.MethodGet, "/proxies/"+p.name, nil, &state); err != nil {
		p.tb.Fatal(err)
	}
	for _, toxic := range state.Toxics {
		p.call(http.MethodDelete, "/proxies/"+p.name+"/toxics/"+toxic.Name, nil)
	}
	p.call(http.MethodPost, "/proxies/"+p.name, map[string]any{"enabled": true})
}

// Hang keeps connections open and accepts new ones, but passes no data in either direction.
func (p *Proxy) Hang() {
	p.tb.Helper()
	p.toxic("upstream", "timeout", map[string]any{"timeout": 0})
	p.toxic("downstream", "timeout", map[string]any{"timeout": 0})
}

// HangReplies passes requests to the server, but no replies back.
func (p *Proxy) HangReplies() {
	p.tb.Helper()
	p.toxic("downstream", "timeout", map[string]any{"timeout": 0})
}

// Slow delays every reply by d, with a resolution of a millisecond.
func (p *Proxy) Slow(d time.Duration) {
	p.tb.Helper()
	p.toxic("downstream", "latency", map[string]any{"latency": d.Milliseconds()})
}

// Reset resets each new connection (TCP RST) when its first reply begins: the server has executed
// the request by then. An open connection is closed instead, since toxiproxy sets up resets when it
// accepts a connection.
func (p *Proxy) Reset() {
	p.tb.Helper()
	p.toxic("downstream", "reset_peer", map[string]any{"timeout": 0})
}

// CutAfter closes each connection after replyBytes more bytes of replies.
func (p *Proxy) CutAfter(replyBytes int64) {
	p.tb.Helper()
	p.toxic("downstream", "limit_data", map[string]any{"bytes": replyBytes})
}

// CutRequestsAfter closes each connection after requestBytes more bytes of requests.
func (p *Proxy) CutRequestsAfter(requestBytes int64) {
	p.tb.Helper()
	p.toxic("upstream", "limit_data", map[string]any{"bytes": requestBytes})
}

func (p *Proxy) toxic(stream, kind string, attributes map[string]any) {
	p.tb.Helper()
	p.call(http.MethodPost, "/proxies/"+p.name+"/toxics", map[string]any{
		"type": kind, "stream": stream, "attributes": attributes,
	})
}

func (p *Proxy) call(method, path string, body map[string]any) {
	p.tb.Helper()
	if err := p.try(method, path, body, nil); err != nil {
		p.tb.Fatal(err)
	}
}

func (p *Proxy) try(method, path string, body map[string]any, reply any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	answer, err := toxiproxyCall(ctx, p.control, method, path, text)
	if err != nil || reply == nil {
		return err
	}
	return json.Unmarshal(answer, reply)
}

func toxiproxyCall(ctx context.Context, control, method, path string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+control+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 300 {
		return nil, fmt.Errorf("toxiproxy: %s %s: %s: %s", method, path, resp.Status, answer)
	}
	return answer, nil
}

// toxiproxy starts the program that serves all proxies of this process.
var toxiproxy = sync.OnceValues(func() (control string, err error) {
	s, err := launch(kindToxiproxy)
	if err != nil {
		return "", err
	}
	fmt.Fprintln(os.Stderr, "testenv:", s.backend())
	return s.nodes[0].addr, nil
})

var toxiproxyKind = kind{
	name:  "toxiproxy",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		path, err := built("toxiproxy-server")
		if err != nil {
			return nil, err
		}
		addr, err := freeAddr()
		if err != nil {
			return nil, err
		}
		data := filepath.Join(dir, "data")
		if err := (*account)(nil).own(data); err != nil {
			return nil, err
		}
		return []*node{{
			addr: addr, dir: data, path: path,
			args: []string{"-host", "127.0.0.1", "-port", portOf(addr)},
			env:  []string{"LOG_LEVEL=warn"},
		}}, nil
	},
	probe: func(ctx context.Context, addr string) (string, error) {
		answer, err := toxiproxyCall(ctx, addr, http.MethodGet, "/version", nil)
		if err != nil {
			return "", err
		}
		return "toxiproxy " + string(answer), nil
	},
	url: func(addrs []string) string { return "http://" + addrs[0] },
}
