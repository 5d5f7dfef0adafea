package adapters

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// Writer is an http.ResponseWriter that stores the session before the response begins. It calls
// Request.Finish at the first WriteHeader, Write, WriteString, ReadFrom, Flush or Hijack.
// Informational responses pass: those with a status 1xx, except 101, which is final.
//
// If the session cannot be stored, the Writer withholds the handler's response. The handler's
// writes return the error, and so does Writer.Finish. After Writer.Finish the Writer passes
// everything on, so that you can write an error response.
//
// If an outer http.TimeoutHandler has already answered the request, a cookie can no longer be sent.
// The session is not stored, its changes are reported as late, and the error is
// http.ErrHandlerTimeout.
//
// Like any ResponseWriter, a Writer is for one goroutine at a time.
type Writer struct {
	below  http.ResponseWriter
	req    *Request
	state  writerState
	err    error
	failed func(below http.ResponseWriter, err error) // set by Leave
	before []headerValues                             // the header before the handler ran

	// Buffers that save allocations.
	flushHijack flushHijackHandler // for Handler
	headerBuf   [4]headerValues    // for before
}

type headerValues struct {
	name   string
	values []string
}

type writerState uint8

const (
	pending  writerState = iota // nothing was sent
	passing                     // the session is finished: pass everything on
	withheld                    // the session failed: withhold the handler's response
)

// NewWriter returns a Writer that writes to w. Call it before the handler runs: an error response
// keeps the headers that w has at this point.
func NewWriter(w http.ResponseWriter, r *Request) *Writer {
	sw := &r.writer
	if sw.req != nil { // in use by another Writer of the request
		sw = new(Writer)
	}
	sw.below, sw.req = w, r
	sw.before = sw.headerBuf[:0]
	for name, values := range w.Header() {
		sw.before = append(sw.before, headerValues{name, values})
	}
	return sw
}

// Over returns a Writer that replaces w and writes to below. From then on w passes everything on.
// It is for frameworks in which outer middleware restores its own writer before an error handler
// writes the response.
func (w *Writer) Over(below http.ResponseWriter) *Writer {
	over := &Writer{
		below: below, req: w.req, state: w.state, err: w.err,
		failed: w.failed, before: w.before,
	}
	w.state = passing
	return over
}

// Owns reports whether rw is w or the result of w.Handler.
func (w *Writer) Owns(rw http.ResponseWriter) bool {
	own, ok := rw.(interface{ self() *Writer })
	return ok && own.self() == w
}

func (w *Writer) self() *Writer { return w }

// flushHijackHandler is the result of Handler on HTTP/1.1.
type flushHijackHandler struct {
	*Writer
	flush
	hijack
}

// Handler returns the ResponseWriter to give to the handler. It writes to w, and implements
// http.Flusher and http.Hijacker if the writer below, or one that it wraps, does. It implements
// http.Pusher if the writer below does.
func (w *Writer) Handler() http.ResponseWriter {
	var flusher, hijacker bool
	pusher, _ := w.below.(http.Pusher)
	for below := w.below; below != nil; {
		switch below.(type) {
		case http.Flusher, interface{ FlushError() error }:
			flusher = true
		}
		if _, ok := below.(http.Hijacker); ok {
			hijacker = true
		}
		u, ok := below.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		below = u.Unwrap()
	}
	switch {
	case flusher && hijacker && pusher != nil:
		return struct {
			*Writer
			flush
			hijack
			http.Pusher
		}{w, flush{w}, hijack{w}, pusher}
	case flusher && hijacker:
		w.flushHijack = flushHijackHandler{w, flush{w}, hijack{w}}
		return &w.flushHijack
	case flusher && pusher != nil:
		return struct {
			*Writer
			flush
			http.Pusher
		}{w, flush{w}, pusher}
	case flusher:
		return struct {
			*Writer
			flush
		}{w, flush{w}}
	case hijacker:
		return struct {
			*Writer
			hijack
		}{w, hijack{w}}
	}
	return w
}

// Serve calls next, the rest of the handler chain. If next panics, Serve disarms the Writer and the
// panic continues.
//
// Serve recovers one panic: http.ErrAbortHandler while the response is withheld. Handlers such as
// httputil.ReverseProxy panic with it when a write fails. Finish then returns the session's error,
// so that the client gets an error response instead of a broken connection.
func (w *Writer) Serve(next func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if w.state == withheld {
			p := recover()
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares with == too
				return
			}
			w.Disarm()
			if p != nil { // nil means runtime.Goexit
				panic(p)
			}
		}
		w.Disarm()
	}()
	next()
	returned = true
}

// Commit stores the session and sets the headers, at the first call only. It reports whether the
// response may begin.
func (w *Writer) Commit() bool {
	if w.state == pending {
		w.state = passing
		if w.req.Idle() {
			return true
		}
		if timedOut(w.req.base, w.below) {
			w.req.finishUnsaved()
			w.req.End()
			w.err = http.ErrHandlerTimeout
		} else {
			w.err = w.req.Finish(w.Header())
		}
		if w.err != nil {
			w.state = withheld
			if w.failed != nil {
				w.restore()
				w.failed(w.below, w.err)
			}
		}
	}
	return w.state == passing
}

// CommitHijack is Commit before the connection is hijacked. RenewEvery does not renew the session
// then, since the handler may not send the new cookie.
func (w *Writer) CommitHijack() bool {
	w.req.hijacked = true
	return w.Commit()
}

// Finish stores the session if the response has not begun. Call it when the handler has returned.
//
// If the session cannot be stored, now or at an earlier write, Finish restores the headers from
// before the handler ran and returns the error. Replace the response by the error.
func (w *Writer) Finish() error {
	failed := !w.Commit()
	w.state = passing
	if failed {
		w.restore()
		return w.err
	}
	w.req.End()
	return nil
}

// restore removes the handler's headers: an error response must not have the effects of the
// response that it replaces.
func (w *Writer) restore() {
	h := w.Header()
	clear(h)
	for _, line := range w.before {
		h[line.name] = line.values
	}
}

// Err returns the error for which the response is withheld, or nil.
func (w *Writer) Err() error { return w.err }

// Leave is for frameworks in which an error handler may write the response after the middleware has
// returned. Call it in place of Finish.
//
// The session is stored when the response begins. If that fails, the Writer calls onError, which
// must write the error response to below. onError may be nil if the response has begun. A change of
// the session after the response has begun is reported when the request's context ends. With Strict
// it panics at once.
func (w *Writer) Leave(onError func(below http.ResponseWriter, err error)) {
	w.failed = onError
	w.req.endWithContext()
}

// Missed is for a response that has begun without passing through the Writer. Call it in place of
// Commit. The session is not stored, since a cookie can no longer be sent, and its changes are
// reported as late. Missed does nothing after Commit.
func (w *Writer) Missed() {
	if w.state == pending {
		w.state = passing
		w.req.finishUnsaved()
	}
}

// Disarm makes the Writer pass everything on without storing the session. After a panic, it keeps
// the response of a recovery middleware from storing half-finished changes.
func (w *Writer) Disarm() {
	w.state = passing
	w.req.Release()
}

// Settled reports whether it is too late to change the session: the Writer has stored it or failed
// to, or Missed or Disarm was called.
func (w *Writer) Settled() bool { return w.state != pending }

// Header implements http.ResponseWriter.
func (w *Writer) Header() http.Header { return w.below.Header() }

// WriteHeader implements http.ResponseWriter.
func (w *Writer) WriteHeader(code int) {
	informational := code >= 100 && code < 200 && code != http.StatusSwitchingProtocols
	if informational && w.state != withheld || w.Commit() {
		w.below.WriteHeader(code)
	}
}

// Write implements http.ResponseWriter.
func (w *Writer) Write(b []byte) (int, error) {
	if !w.Commit() {
		return 0, w.err
	}
	return w.below.Write(b)
}

// WriteString implements io.StringWriter.
func (w *Writer) WriteString(s string) (int, error) {
	if !w.Commit() {
		return 0, w.err
	}
	return io.WriteString(w.below, s)
}

// ReadFrom implements io.ReaderFrom, through which net/http sends files without copying them.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	if !w.Commit() {
		return 0, w.err
	}
	return io.Copy(w.below, src)
}

// FlushError implements the Flush of http.ResponseController. It returns http.ErrNotSupported if no
// writer below can flush.
func (w *Writer) FlushError() error {
	if !w.Commit() {
		return w.err
	}
	return http.NewResponseController(w.below).Flush()
}

// Unwrap returns the writer below, for http.ResponseController. Writing to it directly begins the
// response without storing the session.
func (w *Writer) Unwrap() http.ResponseWriter { return w.below }

type flush struct{ w *Writer }

func (f flush) Flush() { _ = f.w.FlushError() }

type hijack struct{ w *Writer }

// Hijack stores the session first. A new session's cookie is then in the Writer's header. The
// handler must send it.
func (h hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !h.w.CommitHijack() {
		return nil, nil, h.w.err
	}
	return http.NewResponseController(h.w.below).Hijack()
}
