package adapters

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/scskit/scskit"
)

// Response writers below a Writer, with different optional interfaces.
type (
	bare     struct{ http.ResponseWriter } // without a header
	flusher  struct{ bare }
	hijacker struct{ bare }
	wrapper  struct {
		bare
		below http.ResponseWriter
	}
)

func (bare) Header() http.Header { return nil }

func (flusher) Flush() {}

func (hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.New("no connection here")
}

func (w wrapper) Unwrap() http.ResponseWriter { return w.below }

func TestWriterHandler(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		below               http.ResponseWriter
		flush, hijack, push bool
	}{
		"nothing":            {bare{}, false, false, false},
		"flusher":            {flusher{}, true, false, false},
		"hijacker":           {hijacker{}, false, true, false},
		"flusher, hijacker":  {flushHijacker{ResponseWriter: bare{}}, true, true, false},
		"flusher, pusher":    {flushPusher{ResponseWriter: bare{}}, true, false, true},
		"all":                {everything{ResponseWriter: bare{}}, true, true, true},
		"flusher in a wrap":  {wrapper{below: flusher{}}, true, false, false},
		"hijacker in a wrap": {wrapper{below: wrapper{below: hijacker{}}}, false, true, false},
	} {
		h := NewWriter(tt.below, new(Request)).Handler()
		_, flush := h.(http.Flusher)
		_, hijack := h.(http.Hijacker)
		_, push := h.(http.Pusher)
		if flush != tt.flush || hijack != tt.hijack || push != tt.push {
			t.Errorf("%s: flusher %v, hijacker %v, pusher %v", name, flush, hijack, push)
		}
		if _, ok := h.(io.ReaderFrom); !ok {
			t.Errorf("%s: no io.ReaderFrom", name)
		}
		if _, ok := h.(io.StringWriter); !ok {
			t.Errorf("%s: no io.StringWriter", name)
		}
	}
}

type flushHijacker struct {
	http.ResponseWriter
	http.Flusher
	http.Hijacker
}

type flushPusher struct {
	http.ResponseWriter
	http.Flusher
	http.Pusher
}

type everything struct {
	http.ResponseWriter
	http.Flusher
	http.Hijacker
	http.Pusher
}

// memory is a response writer that records the response.
type memory struct {
	header http.Header
	status []int
	body   strings.Builder
}

func (m *memory) Header() http.Header         { return m.header }
func (m *memory) WriteHeader(code int)        { m.status = append(m.status, code) }
func (m *memory) Write(b []byte) (int, error) { return m.body.Write(b) }

// TestWriterWithholds tests that nothing of a response is sent if the session cannot be stored.
func TestWriterWithholds(t *testing.T) {
	t.Parallel()
	broken := errors.New("the store is down")
	sm := scskit.New(newStore(t, nil))
	for name, send := range map[string]func(w *Writer) error{
		"Write":       func(w *Writer) error { _, err := w.Write([]byte("handler")); return err },
		"WriteString": func(w *Writer) error { _, err := w.WriteString("handler"); return err },
		"ReadFrom": func(w *Writer) error {
			_, err := w.ReadFrom(strings.NewReader("handler"))
			return err
		},
		"FlushError":  func(w *Writer) error { return w.FlushError() },
		"Hijack":      func(w *Writer) error { _, _, err := hijack{w}.Hijack(); return err },
		"WriteHeader": func(w *Writer) error { w.WriteHeader(http.StatusOK); return w.Err() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &memory{header: http.Header{"X-Before": {"kept"}, "Vary": {"Origin"}}}
			l := NewLifecycle(sm)
			r, err := l.Begin(t.Context(), http.MethodGet, "/", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.finished, r.err = true, broken
			w := NewWriter(m, r)
			w.Header().Set("Location", "/handler")
			w.Header().Set("X-Accel-Redirect", "/handler")
			w.Header().Add("Set-Cookie", "handler=1")
			w.Header().Add("Vary", "Accept")
			if err := send(w); !errors.Is(err, broken) {
				t.Errorf("got %v, want %v", err, broken)
			}
			if w.WriteHeader(http.StatusContinue); len(m.status) != 0 || m.body.Len() != 0 {
				t.Errorf("sent: status %v, body %q", m.status, m.body.String())
			}
			if err := w.Finish(); !errors.Is(err, broken) {
				t.Errorf("Finish: got %v, want %v", err, broken)
			}
			want := http.Header{"X-Before": {"kept"}, "Vary": {"Origin"}}
			if !reflect.DeepEqual(m.header, want) {
				t.Errorf("headers %v, want %v", m.header, want)
			}
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, "sorry")
			if len(m.status) != 1 || m.status[0] != http.StatusInternalServerError ||
				m.body.String() != "sorry" {
				t.Errorf("the error response: status %v, body %q", m.status, m.body.String())
			}
		})
	}
}
