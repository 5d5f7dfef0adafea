package conformance

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/driver"
)

// pairLeakChecks search everything that a site emits for its secrets.
var pairLeakChecks = []check{
	{"pair/nothing-leaks", LevelPair, pairNothingLeaks,
		"no log line, error, event, response or stored byte holds a token, a key, or what a sealed " +
			"session holds"},
}

// emitted collects what a site emits, by where.
type emitted struct {
	mu   sync.Mutex
	text map[string]*bytes.Buffer
}

func (e *emitted) add(where, text string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.text == nil {
		e.text = make(map[string]*bytes.Buffer)
	}
	if e.text[where] == nil {
		e.text[where] = new(bytes.Buffer)
	}
	e.text[where].WriteString(text + "\n")
}

// writerTo is an io.Writer that collects.
type writerTo struct {
	e     *emitted
	where string
}

func (w writerTo) Write(b []byte) (int, error) {
	w.e.add(w.where, string(b))
	return len(b), nil
}

// wantNone reports each of the secrets that was emitted.
func (e *emitted) wantNone(t *checkT, secrets map[string]string) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for where, text := range e.text {
		for name, secret := range secrets {
			if secret != "" && bytes.Contains(text.Bytes(), []byte(secret)) {
				t.Errorf("%s holds %s", where, name)
			}
		}
	}
	for _, where := range []string{"an event", "an error", "a log line", "a response", "the backend"} {
		if e.text[where] == nil {
			t.Errorf("the check has seen nothing of %s", where)
		}
	}
}

func pairNothingLeaks(t *checkT) {
	const payload = "4929123456789012"
	p, ok := t.newStore().(*scskit.Store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	if _, ok := carrierOf(p); ok {
		t.notApplicable("the session travels in the cookie: it has no token and no backend")
	}
	var e emitted
	key, d := sealingKey(), t.tap(p.Driver())
	store, err := scskit.NewStore(d, &scskit.Options{
		Keys: [][]byte{key}, UserKey: "user", Timeout: t.crowdTimeout(),
		Observer: func(_ context.Context, event scskit.Event) {
			e.add("an event", fmt.Sprintf("%+v %#v %v", event, event, event.Err))
		},
		OnUnreadable: func(_ context.Context, u scskit.Unreadable) scskit.UnreadableAction {
			e.add("an event", fmt.Sprintf("%+v %#v", u, u))
			return scskit.KeepCorrupt(t.Context(), u)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := t.siteOver(store)
	s.option(adapters.RenewEvery(time.Second))
	s.option(adapters.Logger(slog.New(slog.NewTextHandler(writerTo{&e, "a log line"}, nil))))
	s.option(adapters.OnError(func(_ context.Context, err error) error {
		e.add("an error", fmt.Sprintf("%v %+v %#v", err, err, err))
		e.add("an error", causes(err))
		return nil
	}))
	s.route("/signin", s.signIn)
	s.route("/bad", func(c Context) error {
		s.sm.Put(c.Context(), "bad", []any{payload, func() {}})
		return c.Send(http.StatusOK, "bad")
	})
	s.route("/late", func(c Context) error {
		err := c.Send(http.StatusOK, "late")
		s.sm.Put(c.Context(), "late", payload)
		return err
	})
	s.open()
	secrets := map[string]string{"the payload": payload,
		"the key": string(key), "the key in hexadecimal": hex.EncodeToString(key),
		"the key in base64": base64.StdEncoding.EncodeToString(key)}
	b := s.browser()
	visit := func(path string) {
		a := b.get(path)
		var header strings.Builder
		for name, lines := range a.header {
			for _, line := range lines {
				if name != "Set-Cookie" || !strings.HasPrefix(line, s.sm.Cookie.Name+"=") {
					fmt.Fprintf(&header, "%s: %s\n", name, line)
				}
			}
		}
		e.add("a response", header.String()+a.body)
		if token := b.token(); token != "" {
			secrets[fmt.Sprintf("token %d", len(secrets))] = token
		}
	}
	scene := func() {
		for _, path := range []string{"/put?k=card&v=" + payload, "/signin", "/keys", "/late", "/bad",
			"/put?k=card&v=" + payload + "0"} {
			visit(path)
		}
	}
	scene()
	for _, faulty := range []string{"load", "save", "touch", "delete"} {
		d.on(func(_ context.Context, op, id string) error {
			if op == faulty {
				return &driverFault{op, id}
			}
			return nil
		})
		scene()
		visit("/destroy")
		d.on(nil)
		scene()
	}
	rec := b.record(d.Driver)
	rec.Data[len(rec.Data)-1] ^= 1
	t.save(d.Driver, rec, driver.Always())
	visit("/keys")
	scene()
	if r, ok := driver.As[driver.Ranger](d.Driver); ok {
		for rec, err := range r.Range(t.Context()) {
			if err != nil {
				t.Fatalf("range: %v", err)
			}
			e.add("the backend", fmt.Sprintf("%+v %s", rec, rec.Data))
		}
	} else {
		e.add("the backend", fmt.Sprintf("%+v", b.record(d.Driver)))
	}
	e.wantNone(t, secrets)
}
