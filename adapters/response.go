package adapters

import (
	"net/http"
	"slices"
	"strings"
)

// Header is the header of a response in a framework that is not on net/http. The response headers
// of fasthttp and Hertz implement it.
type Header interface {
	// VisitAll calls f for each line. Lines of the same name come in the order in which they are
	// sent. name and value are valid until f returns. f does not change the header.
	VisitAll(f func(name, value []byte))

	// Add adds a line. It must not change the value of a Set-Cookie line.
	Add(name, value string)

	// Del removes all lines with the name.
	Del(name string)
}

// Response stores the session and sets its headers in a framework that is not on net/http. On
// net/http use Writer. A Response is for one goroutine at a time.
//
// It suits frameworks that send the response after the handlers have returned. If a handler can
// begin the response earlier, as by a flush, call Finish before that.
type Response struct {
	header Header
	req    *Request
	before []headerLine
	done   bool
}

type headerLine struct{ name, value string }

// NewResponse returns a Response that sets headers in h. Call it before the handlers run: it copies
// the lines that h has at this point, and restores them after an error.
func NewResponse(h Header, r *Request) *Response {
	return &Response{header: h, req: r, before: headerLines(h)}
}

// Finish stores the session and sets headers such as Set-Cookie, as Request.Finish does.
// Call it when the handlers have returned and the framework has written the response to any error
// that they returned.
//
// If Finish returns an error, it has restored the header from before the handlers ran. Drop the
// status, the body and any hijack handler, and let the framework write the error response.
//
// Only the first call has an effect. Do not call Finish after a panic: nothing must be stored then.
func (r *Response) Finish() error {
	if r.done || r.req.Idle() {
		return r.req.Finish(nil)
	}
	r.done = true
	sessionHeaders := r.req.l.headers
	h := make(http.Header, len(sessionHeaders))
	r.header.VisitAll(func(name, value []byte) {
		for _, header := range sessionHeaders {
			if strings.EqualFold(string(name), header) {
				h[header] = append(h[header], string(value))
			}
		}
	})
	var had [maxHeaders][]string
	for i, name := range sessionHeaders {
		had[i] = h[name]
	}
	if err := r.req.Finish(h); err != nil {
		r.restore()
		return err
	}
	for i, name := range sessionHeaders {
		if slices.Equal(h[name], had[i]) {
			continue
		}
		lines := h[name]
		if name == "Vary" {
			lines = []string{strings.Join(lines, ", ")} // frameworks append to the first line
		}
		r.header.Del(name)
		for _, line := range lines {
			r.header.Add(name, line)
		}
	}
	return nil
}

// Missed is for a response that was sent before the handlers returned, as after a timeout. Call it
// in place of Finish. The session is not stored, since a cookie can no longer be sent, and its
// changes are reported as late.
func (r *Response) Missed() {
	if r.done {
		return
	}
	r.done = true
	r.req.finishUnsaved()
	r.req.End()
}

func (r *Response) restore() {
	for _, line := range headerLines(r.header) {
		r.header.Del(line.name)
	}
	for _, line := range r.before {
		r.header.Add(line.name, line.value)
	}
}

func headerLines(h Header) []headerLine {
	var lines []headerLine
	h.VisitAll(func(name, value []byte) {
		lines = append(lines, headerLine{string(name), string(value)})
	})
	return lines
}
