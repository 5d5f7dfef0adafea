package adapters

import (
	"net/http"
	"slices"
	"strings"
)

// Header is the header of a response in a framework that is not on net/http. The
// response headers of fasthttp and of Hertz are Headers as they are.
type Header interface {
	// VisitAll calls f for every line, those of one name in the order in which they are sent.
	// The bytes are valid until f returns, and f does not change the header.
	VisitAll(f func(name, value []byte))

	// Add adds a line. It must send a Set-Cookie line as it is.
	Add(name, value string)

	// Del removes every line of a name.
	Del(name string)
}

// Response finishes a Request in the header of a framework that is not on net/http, as Writer
// does for those that are. Like a response it is for one goroutine at a time.
//
// It suits frameworks that send a response when the handlers have returned. Where a handler can
// begin the response itself, by a flush for example, Finish must come before that.
type Response struct {
	header Header
	req    *Request
	before []headerLine
	done   bool
}

type headerLine struct{ name, value string }

// NewResponse returns the Response of a request whose handlers have yet to run. It keeps a copy
// of what h has, from middleware outside and from the framework.
func NewResponse(h Header, r *Request) *Response {
	return &Response{header: h, req: r, before: headerLines(h)}
}

// Finish is called when the handlers have returned, and an error of theirs is answered. It
// does what Request.Finish does: it stores the session and sets Set-Cookie, Cache-Control and Vary.
//
// If it returns an error, the header has again what it had before the handlers ran, and no more.
// The caller then drops the handlers' status, body and hijack handler, and has the framework
// answer the error.
//
// Only the first call does anything. After a panic there must be none: nothing is stored then.
func (r *Response) Finish() error {
	if r.done {
		return r.req.Finish(nil)
	}
	r.done = true
	h := make(http.Header, len(settledNames))
	r.header.VisitAll(func(name, value []byte) {
		for _, settled := range settledNames {
			if strings.EqualFold(string(name), settled) {
				h[settled] = append(h[settled], string(value))
			}
		}
	})
	var had [len(settledNames)][]string
	for i, name := range settledNames {
		had[i] = h[name]
	}
	if err := r.req.Finish(h); err != nil {
		r.restore()
		return err
	}
	for i, name := range settledNames {
		if slices.Equal(h[name], had[i]) {
			continue
		}
		lines := h[name]
		if name == "Vary" {
			lines = []string{strings.Join(lines, ", ")} // what frameworks add to is the first line
		}
		r.header.Del(name)
		for _, line := range lines {
			r.header.Add(name, line)
		}
	}
	return nil
}

// Missed is called in place of Finish when the response was sent without waiting for the handlers,
// as at a time-out. Nothing is stored, since no cookie can be sent any more, and what the handlers
// have changed is reported as late.
func (r *Response) Missed() {
	if r.done {
		return
	}
	r.done = true
	r.req.miss()
	r.req.End()
}

// settledNames are the headers that Request.Finish looks at and sets.
var settledNames = [...]string{"Set-Cookie", "Cache-Control", "Vary"}

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
