package conformance

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// adapterFeatureChecks cover the features of a framework beyond sending a body.
var adapterFeatureChecks = []check{
	{"adapter/event-stream", LevelAdapter, featureEventStream,
		"the cookie and the record agree: the cookie comes with the first server-sent event"},
	{"adapter/late-change", LevelAdapter, featureLateChange,
		"adapters.Observe: a change after the response has begun cannot be saved, and is reported"},
	{"adapter/late-renewal", LevelAdapter, featureLateRenewal,
		"once the response has begun no cookie can carry a new token: RenewToken " +
			"fails, and the session goes on"},
	{"adapter/upgrade", LevelAdapter, featureUpgrade,
		"the cookie and the record agree: a connection that is hijacked, for example for a websocket"},
	{"adapter/early-hints", LevelAdapter, featureEarlyHints,
		"RFC 8297: status 103 is not the response; it commits nothing and carries no cookie"},
	{"adapter/std-handler", LevelAdapter, featureStdHandler,
		"one behaviour everywhere: a net/http handler inside the framework has the same session"},
	{"adapter/writer", LevelAdapter, featureWriter,
		"adapters.Writer: the response writer has the optional interfaces " +
			"that it has without the middleware"},
}

func featureEventStream(t *checkT) {
	s := t.newSite()
	g := t.gate()
	s.route("/events", func(c Context) error {
		f, err := contextAs[Streamer](s, c)
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "v")
		c.SetHeader("Content-Type", "text/event-stream")
		return f.Stream(func(w io.Writer, flush func() error) error {
			if err := flush(); err != nil { // many handlers do, to send the headers early
				return err
			}
			if _, err := io.WriteString(w, "data: one\n\n"); err != nil {
				return err
			}
			if err := flush(); err != nil {
				return err
			}
			g.pass()
			_, err := io.WriteString(w, "data: two\n\n")
			return err
		})
	})
	s.open()
	b := s.browser()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := b.begin(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	s.checkSupport()
	first := make([]byte, len("data: one\n\n"))
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "data: one\n\n" {
		t.Fatalf("first event: got %q, error %v", first, err)
	}
	s.wantStored(b, b.answer(res, ""), "k", "v") // while the stream is still open
	g.open()
	if rest, err := io.ReadAll(res.Body); err != nil || string(rest) != "data: two\n\n" {
		t.Errorf("rest of the stream: got %q, error %v", rest, err)
	}
}

const begun = "the response has begun"

// begin returns when the response has begun. That may take several flushes: Fiber buffers the start
// of a stream until the handlers have returned, and fasthttp needs four.
func begin(w io.Writer, flush func() error) error {
	for _, part := range strings.SplitAfter(begun, "") {
		if _, err := io.WriteString(w, part); err != nil {
			return err
		}
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}

func featureLateChange(t *checkT) {
	s := t.newSite()
	late := make(chan scskit.Event, 10)
	s.option(adapters.Observe(func(_ context.Context, e scskit.Event) {
		if e.Kind == scskit.KindLate {
			late <- e
		}
	}))
	s.route("/late", func(c Context) error {
		f, err := contextAs[Streamer](s, c)
		if err != nil {
			return err
		}
		ctx, value := c.Context(), strings.Clone(c.Query("v"))
		s.sm.Put(ctx, "k", "in time")
		return f.Stream(func(w io.Writer, flush func() error) error {
			if err := begin(w, flush); err != nil {
				return err
			}
			if value != "" {
				s.sm.Put(ctx, "k", value)
			}
			return nil
		})
	})
	s.open()
	b := s.browser()
	s.wantStored(b, b.get("/late"), "k", "in time") // not late, since nothing changes afterwards
	b.get("/late?v=late").want(t, http.StatusOK, begun)
	select {
	case e := <-late:
		if e.ID != scskit.HashToken(b.token()) {
			t.Errorf("the event has the id %q, want the id of the session", e.ID)
		}
	case <-time.After(t.eventTimeout()):
		t.Error("no event of scskit.KindLate")
	}
	b.wantValue("k", "in time")
	if n := len(late); n != 0 {
		t.Errorf("%d events of scskit.KindLate without a late change", n)
	}
}

func featureLateRenewal(t *checkT) {
	s := t.newSite()
	renewed := make(chan error, 1)
	s.route("/late", func(c Context) error {
		f, err := contextAs[Streamer](s, c)
		if err != nil {
			return err
		}
		ctx := c.Context()
		s.sm.Put(ctx, "k", "w")
		return f.Stream(func(w io.Writer, flush func() error) error {
			err := begin(w, flush)
			renewed <- s.sm.RenewToken(ctx)
			return err
		})
	})
	s.open()
	b := s.browser()
	b.put("k", "v")
	token := b.token()
	b.get("/late").want(t, http.StatusOK, begun)
	if err := <-renewed; !errors.Is(err, scskit.ErrLate) {
		t.Errorf("renew: got error %v, want scskit.ErrLate", err)
	}
	if b.token() != token {
		t.Error("the token has changed")
	}
	b.wantValue("k", "w")
}

func featureUpgrade(t *checkT) {
	s := t.newSite()
	s.route("/upgrade", func(c Context) error {
		u, err := contextAs[Upgrader](s, c)
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "v")
		return u.Upgrade("echo", func(conn io.ReadWriter) {
			line, err := bufio.NewReader(conn).ReadString('\n')
			if err == nil {
				_, _ = io.WriteString(conn, "you said "+line)
			}
		})
	})
	s.open()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(s.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(t.eventTimeout()))
	fmt.Fprint(conn, "GET /upgrade HTTP/1.1\r\nHost: example.org\r\nConnection: Upgrade\r\nUpgrade: "+
		"echo\r\n\r\n")
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	s.checkSupport()
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("response: status %d, want 101", res.StatusCode)
	}
	b := s.browser()
	b.keep(res.Header)
	s.wantStored(b, b.answer(res, ""), "k", "v")
	fmt.Fprint(conn, "hello\n")
	if line, err := r.ReadString('\n'); err != nil || line != "you said hello\n" {
		t.Errorf("upgraded connection: got %q, error %v", line, err)
	}
}

func featureEarlyHints(t *checkT) {
	s := t.newSite()
	s.route("/hints", func(c Context) error {
		h, err := contextAs[Hinter](s, c)
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "before", "v")
		if err := h.EarlyHints("</style.css>; rel=preload"); err != nil {
			return err
		}
		s.sm.Put(c.Context(), "after", "w")
		return c.Send(http.StatusOK, "hinted")
	})
	s.open()
	var hints []textproto.MIMEHeader
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
			hints = append(hints, h)
			return nil
		},
	})
	b := s.browser()
	a, err := b.try(ctx, http.MethodGet, "/hints")
	if err != nil {
		t.Fatal(err)
	}
	s.checkSupport()
	a.want(t, http.StatusOK, "hinted")
	if len(hints) != 1 || hints[0].Get("Link") == "" || hints[0].Get("Set-Cookie") != "" {
		t.Errorf("informational responses: %v, want one with a Link and no cookie", hints)
	}
	s.wantStored(b, a, "before", "v")
	b.wantValue("after", "w")
}

// mount returns a Handler that passes the request on to h.
func (s *site) mount(h http.HandlerFunc) Handler {
	return func(c Context) error {
		m, err := contextAs[Mounter](s, c)
		if err != nil {
			return err
		}
		return m.Mount(h)
	}
}

func featureStdHandler(t *checkT) {
	s := t.newSite()
	s.route("/std", s.mount(func(w http.ResponseWriter, r *http.Request) {
		name := valueOf(r.Context(), s.sm, "user")
		s.sm.Put(r.Context(), "std", "yes")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, "hello, "+name)
	}))
	s.open()
	b := s.browser()
	b.put("user", "ada")
	a := b.get("/std")
	a.want(t, http.StatusAccepted, "hello, ada")
	s.wantStored(b, a, "std", "yes")
}

func featureWriter(t *checkT) {
	s := t.newSite()
	s.option(adapters.Skip(func(_, path string) bool { return path == "/bare" }))
	page := s.mount(func(w http.ResponseWriter, r *http.Request) {
		_, flusher := w.(http.Flusher)
		_, hijacker := w.(http.Hijacker)
		_, pusher := w.(http.Pusher)
		deadline := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Hour))
		flush := http.NewResponseController(w).Flush()
		fmt.Fprintf(w, "flusher %v, hijacker %v, pusher %v, deadline %v, flush %v", flusher, hijacker,
			pusher, deadline, flush)
	})
	s.route("/bare", page)
	s.route("/wrapped", page)
	s.open()
	b := s.browser()
	b.put("k", "v")
	bare := b.get("/bare")
	b.get("/wrapped").want(t, http.StatusOK, bare.body)
}
