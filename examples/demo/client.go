package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// client sends requests to the demo's own address. They pass through a connection, the framework
// and its middleware, as a browser's requests do.
type client struct {
	http *http.Client
	base string
}

func newClient(addr string) *client {
	var dialer net.Dialer
	return &client{
		base: "http://" + addr,
		http: &http.Client{
			Transport: &http.Transport{
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return dialer.DialContext(ctx, network, addr)
				},
				MaxIdleConnsPerHost: cells,
				IdleConnTimeout:     10 * time.Second,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
			Timeout:       20 * time.Second,
		},
	}
}

func (c *client) close() error {
	c.http.CloseIdleConnections()
	return nil
}

// reply is a response that has been read.
type reply struct {
	status int
	set    []string // its Set-Cookie lines
	body   []byte
}

// cookies returns the cookies that the response sets.
func (r *reply) cookies() []*http.Cookie {
	var all []*http.Cookie
	for _, line := range r.set {
		if c, err := http.ParseSetCookie(line); err == nil {
			all = append(all, c)
		}
	}
	return all
}

// visitor has one cookie. Unlike a browser it ignores the cookies of later responses.
type visitor struct {
	*client
	cookie *http.Cookie // none if nil
}

// begin posts a form and returns a visitor with the cookie that the response sets.
func (c *client) begin(ctx context.Context, path string, form url.Values) (*visitor, error) {
	v := &visitor{client: c}
	res, err := v.post(ctx, path, form)
	if err != nil {
		return nil, err
	}
	for _, cookie := range res.cookies() {
		if cookie.MaxAge >= 0 {
			v.cookie = &http.Cookie{Name: cookie.Name, Value: cookie.Value}
			return v, nil
		}
	}
	return nil, fmt.Errorf("POST %s sets no cookie", path)
}

func (v *visitor) post(ctx context.Context, path string, form url.Values) (reply, error) {
	return v.do(ctx, http.MethodPost, path, form)
}

// view returns the session as the framework at the prefix sees it.
func (v *visitor) view(ctx context.Context, prefix string) (view, reply, error) {
	res, err := v.do(ctx, http.MethodGet, prefix+"session", nil)
	if err != nil {
		return view{}, res, err
	}
	var seen view
	if err := json.Unmarshal(res.body, &seen); err != nil {
		return view{}, res, fmt.Errorf("GET %ssession: %w", prefix, err)
	}
	return seen, res, nil
}

// do returns an error if the request fails or if its status is 400 or higher.
func (v *visitor) do(ctx context.Context, method, path string, form url.Values) (reply, error) {
	req, err := http.NewRequestWithContext(ctx, method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if v.cookie != nil {
		req.AddCookie(v.cookie)
	}
	res, err := v.http.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer res.Body.Close()
	r := reply{status: res.StatusCode, set: res.Header["Set-Cookie"]}
	if r.body, err = io.ReadAll(res.Body); err != nil {
		return r, err
	}
	if r.status >= http.StatusBadRequest {
		return r, fmt.Errorf("%s %s: status %d", method, path, r.status)
	}
	return r, nil
}
