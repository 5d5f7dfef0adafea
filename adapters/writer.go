package adapters

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// Writer is an http.ResponseWriter that finishes a Request before the first byte of the final
// response: at WriteHeader, Write, WriteString, ReadFrom, Flush and Hijack. Informational responses
// (1xx, but not 101, which is final) pass.
//
// If the session cannot be stored, nothing of the handler's response is sent: its writes return the
// error, and Finish returns it, after which the Writer passes everything on, so that an error
// response can be written.
//
// If http.TimeoutHandler, outside, has answered meanwhile, no cookie can be sent any more. Then
// nothing is stored, what the handler has changed is reported as late, and the error is
// http.ErrHandlerTimeout.
//
// Like any ResponseWriter it is for one goroutine at a time.
type Writer struct {
	below  http.ResponseWriter
	req    *Request
	state  writerState
	err    error
	failed func(below http.ResponseWriter, err error) // after Leave
	before []headerValues                             // the header before the handler ran

	// So that they need not be allocated.
	usual usualHandler
	room  [4]headerValues
}

type headerValues struct {
	name   string
	values []string
}

type writerState uint8

const (
	pending  writerState = iota // nothing was sent
	passing                     // the session is settled: everything passes
	withheld                    // the session failed: nothing of the handler's passes
)

// NewWriter returns a Writer over w, for a handler that has yet to run: what the header of w has
// now is what an error response keeps.
func NewWriter(w http.ResponseWriter, r *Request) *Writer {
	sw := &r.writer
	if sw.req != nil { // it is taken
		sw = new(Writer)
	}
	sw.below, sw.req = w, r
	sw.before = sw.room[:0]
	for name, values := range w.Header() {
		sw.before = append(sw.before, headerValues{name, values})
	}
	return sw
}

// Over returns a Writer that takes the place of w over another writer below, for a framework in
// which middleware outside puts its own writer back before an error handler answers. From then on
// w passes everything.
func (w *Writer) Over(below http.ResponseWriter) *Writer {
	over := &Writer{
		below: below, req: w.req, state: w.state, err: w.err,
		failed: w.failed, before: w.before,
	}
	w.state = passing
	return over
}

// Owns reports whether rw is the Writer, or what its Handler returned.
func (w *Writer) Owns(rw http.ResponseWriter) bool {
	own, ok := rw.(interface{ self() *Writer })
	return ok && own.self() == w
}

func (w *Writer) self() *Writer { return w }

// usualHandler is what the handler gets on HTTP/1.1.
type usualHandler struct {
	*Writer
	flush
	hijack
}

// Handler returns the Writer as what the handler should get: it is a http.Flusher,
// http.Hijacker and http.Pusher exactly where the writer below, or one that it wraps, is.
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
		w.usual = usualHandler{w, flush{w}, hijack{w}}
		return &w.usual
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

// Serve calls next, the rest of the chain. If it panics the panic goes on, and the Writer is
// disarmed.
//
// One panic ends here: the http.ErrAbortHandler of a handler that cannot write because its response
// is withheld, as that of httputil.ReverseProxy. Finish then returns the error, so that the client
// gets it instead of a broken connection.
func (w *Writer) Serve(next func()) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if w.state == withheld {
			p := recover()
			if p == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
				return
			}
			w.Disarm()
			if p != nil { // or it is runtime.Goexit
				panic(p)
			}
		}
		w.Disarm()
	}()
	next()
	returned = true
}

// Commit settles the session, once, and reports whether the response may go on.
func (w *Writer) Commit() bool {
	if w.state == pending {
		w.state = passing
		if w.req.Idle() {
			return true
		}
		if abandoned(w.req.base, w.below) {
			w.req.miss()
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

// Finish is called when the handler has returned. If the response has not begun it stores the
// session. If that fails, or did so before, Finish returns the error, by which the response must be
// replaced; the header is then again as it was before the handler ran.
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

// restore takes the handler's headers back: an error response must do nothing that the response
// it replaces was to do.
func (w *Writer) restore() {
	h := w.Header()
	clear(h)
	for _, line := range w.before {
		h[line.name] = line.values
	}
}

// Err returns why the response is withheld, if it is.
func (w *Writer) Err() error { return w.err }

// Leave is for frameworks in which the response may be written only after the middleware has
// returned, by an error handler. In place of Finish, onError is called if the session cannot be
// stored then. It must answer by the writer that it gets, which is the one below; nil is for a
// response that has begun. What changes after that is reported when the request's context ends, and
// with Strict panics on the spot.
func (w *Writer) Leave(onError func(below http.ResponseWriter, err error)) {
	w.failed = onError
	w.req.endLater()
}

// Missed is called in place of Commit when the response has begun past the Writer. Nothing is
// stored, since no cookie can be sent any more, and a change of the session is reported as late.
func (w *Writer) Missed() {
	if w.state == pending {
		w.state = passing
		w.req.miss()
	}
}

// Disarm makes the Writer pass everything on, and store nothing any more, so that after a panic
// the response of a recovery middleware does not store what the handler had left half done.
func (w *Writer) Disarm() { w.state = passing }

// Settled reports whether the session is settled: stored or not, it is too late for changes.
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

// ReadFrom implements io.ReaderFrom, which is how net/http sends files without copying them.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	if !w.Commit() {
		return 0, w.err
	}
	return io.Copy(w.below, src)
}

// FlushError is what http.ResponseController calls. Where nothing below can flush it
// returns http.ErrNotSupported.
func (w *Writer) FlushError() error {
	if !w.Commit() {
		return w.err
	}
	return http.NewResponseController(w.below).Flush()
}

// Unwrap lets http.ResponseController find the deadlines of the connection. What is
// written to the writer it returns goes past the session.
func (w *Writer) Unwrap() http.ResponseWriter { return w.below }

type flush struct{ w *Writer }

func (f flush) Flush() { _ = f.w.FlushError() }

type hijack struct{ w *Writer }

// Hijack commits first. The cookie of a new session is then in the Writer's header, for the
// handler to send.
func (h hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !h.w.Commit() {
		return nil, nil, h.w.err
	}
	return http.NewResponseController(h.w.below).Hijack()
}
