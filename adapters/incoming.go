package adapters

import (
	"context"
	"net/http"
)

// Incoming is the part of a request that Lifecycle.Begin reads. Begin does not keep it, and is the
// only one to call its methods.
type Incoming interface {
	// Header returns the lines of a header, by its canonical name such as Cookie, or nil. Begin keeps
	// the strings, which must not change afterwards: copy them if the framework reuses its buffers.
	Header(name string) []string

	// TLS reports whether the server received the request on a TLS connection. What a header says,
	// such as X-Forwarded-Proto, must not count.
	TLS() bool

	// Host returns the host that the server received, with its port if it has one: the one of the
	// request's target, or else of the Host header. X-Forwarded-Host must not count.
	Host() string
}

// BeginHTTP is Begin for a request of net/http.
func (l *Lifecycle) BeginHTTP(r *http.Request) (*Request, error) {
	return l.Begin(r.Context(), r.Method, r.URL.Path, httpIncoming{r})
}

type httpIncoming struct{ r *http.Request }

func (in httpIncoming) Header(name string) []string { return in.r.Header[name] }

func (in httpIncoming) TLS() bool { return in.r.TLS != nil }

func (in httpIncoming) Host() string { return in.r.Host }

// read does the part of Begin that reads the request. The error is one in the program.
func (r *Request) read(ctx context.Context, in Incoming) error {
	for o := r.outer; o != nil; o = o.outer {
		if err := r.l.sharesWith(o.l); err != nil {
			return err
		}
	}
	if r.l.opts.cookiePerRequest != nil && in != nil {
		if err := r.decideCookie(ctx, in); err != nil {
			return err
		}
	}
	if in != nil {
		r.collect(in)
		r.collectLegacy(in)
	}
	return nil
}
