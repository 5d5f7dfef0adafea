package conformance

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"iter"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/driver"
)

// pairLeakChecks search everything that a site emits for its secrets.
var pairLeakChecks = []check{
	{"pair/nothing-leaks", LevelPair, pairNothingLeaks,
		"no log line, error, event, response or stored byte holds a token of a cookie or a header, a " +
			"key, or what a sealed session holds"},
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
func (e *emitted) wantNone(t *checkT, scene string, secrets map[string]string) {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	for where, text := range e.text {
		for secret, name := range secrets {
			if bytes.Contains(text.Bytes(), []byte(secret)) {
				t.Errorf("%s: %s holds %s", scene, where, name)
			}
		}
	}
	for _, where := range []string{
		"an event", "an error", "a log line", "a response", "the backend",
	} {
		if e.text[where] == nil {
			t.Errorf("%s: the check has seen nothing of %s", scene, where)
		}
	}
}

// forms adds the notations in which a secret may be emitted: as it is, in hexadecimal, as Go prints
// bytes, and in both alphabets of base64, alone or as part of something longer.
func forms(secrets map[string]string, name, secret string) {
	b := []byte(secret)
	secrets[secret] = name
	secrets[hex.EncodeToString(b)] = name + " in hexadecimal"
	secrets[strings.ToUpper(hex.EncodeToString(b))] = name + " in hexadecimal"
	secrets[strings.Trim(fmt.Sprintf("%d", b), "[]")] = name + " as numbers"
	secrets[strings.Trim(fmt.Sprintf("%#v", b), "[]byte{}")] = name + " as numbers"
	for before := range 3 {
		whole := append(make([]byte, before), b...)
		// Without the characters that depend on what is before and after it.
		from, to := (8*before+5)/6, 8*len(whole)/6
		secrets[base64.StdEncoding.EncodeToString(whole)[from:to]] = name + " in base64"
		secrets[base64.URLEncoding.EncodeToString(whole)[from:to]] = name + " in URL base64"
	}
}

// leakDriver is a tap whose hook sees listings too, as the operation "list".
type leakDriver struct{ *tap }

func (d leakDriver) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return d.list(ctx, d.tap.Range(ctx))
}

// RangeUser implements driver.UserIndex, also if the inner driver does not.
func (d leakDriver) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	if i, ok := driver.As[driver.UserIndex](d.Driver); ok {
		return d.list(ctx, i.RangeUser(ctx, user))
	}
	return d.list(ctx, func(yield func(driver.Record, error) bool) {
		for rec, err := range d.tap.Range(ctx) {
			if (err != nil || rec.User == user) && !yield(rec, err) {
				return
			}
		}
	})
}

func (d leakDriver) list(ctx context.Context, all iter.Seq2[driver.Record, error],
) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		if err := d.pass(ctx, "list", "", func() error { return nil }); err != nil {
			yield(driver.Record{}, err)
			return
		}
		all(yield)
	}
}

// leakScene is a site and its client.
type leakScene struct {
	name    string
	way     *way // of the token, or nil for a cookie
	plain   bool // Options.PlainIDs
	options []adapters.Option
}

func pairNothingLeaks(t *checkT) {
	p, ok := t.newStore().(*scskit.Store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	if _, ok := carrierOf(p); ok {
		t.notApplicable("the session travels in the cookie: it has no token and no backend")
	}
	renew := adapters.RenewEvery(time.Millisecond)
	lock := adapters.Lock(scskit.LockOptions{
		Lease: 20 * time.Millisecond, RetryDelay: 5 * time.Millisecond, MaxWait: 50 * time.Millisecond,
	})
	for _, scene := range []leakScene{
		{"cookies", nil, false, []adapters.Option{renew}},
		{"a header", &inHeader, true, []adapters.Option{lock}},
		{"bearer tokens", &inBearer, true, []adapters.Option{renew}},
		{"bearer tokens and Lazy", &inBearer, true, []adapters.Option{renew, adapters.Lazy()}},
	} {
		scene.play(t, p.Driver())
	}
}

const leakPayload = "4929123456789012"

// leakSite is the site of a scene.
type leakSite struct {
	*site
	scene   leakScene
	e       emitted
	store   *scskit.Store
	d       leakDriver
	refuse  atomic.Bool // what adapters.Limit does
	secrets map[string]string
}

// play lets a client use the site while everything fails in turn, and searches what comes out.
func (scene leakScene) play(t *checkT, inner driver.Driver) {
	l := &leakSite{scene: scene, d: leakDriver{t.tap(inner)}, secrets: make(map[string]string)}
	l.d.plain = scene.plain
	key := sealingKey()
	forms(l.secrets, "the key", string(key))
	forms(l.secrets, "the payload", leakPayload)
	var err error
	if l.store, err = scskit.NewStore(l.d, &scskit.Options{
		Keys: [][]byte{key}, UserKey: "user", PlainIDs: scene.plain, Timeout: t.crowdTimeout(),
		TouchInterval: -1,
		Observer: func(_ context.Context, event scskit.Event) {
			l.e.add("an event", fmt.Sprintf("%+v %#v %v", event, event, event.Err))
			l.e.add("an event", causes(event.Err))
		},
		OnUnreadable: func(_ context.Context, u scskit.Unreadable) scskit.UnreadableAction {
			l.e.add("an event", fmt.Sprintf("%+v %#v", u, u))
			return scskit.KeepCorrupt(t.Context(), u)
		},
	}); err != nil {
		t.Fatal(err)
	}
	l.site = t.siteOver(l.store)
	l.build()
	c := l.client("")
	c.visitAll()
	lock, err := l.store.Lock(t.Context(), c.token(), scskit.LockOptions{Lease: time.Minute})
	if err != nil {
		t.Fatalf("%s: lock: %v", scene.name, err)
	}
	c.visit("/keys")
	lock.Release(t.Context())
	for _, faulty := range []string{"load", "save", "touch", "delete", "list"} {
		l.d.on(func(_ context.Context, op, id string) error {
			if op == faulty {
				return &driverFault{op, id}
			}
			return nil
		})
		c.visitAll()
		c.visit("/destroy")
		l.d.on(nil)
		c.visit("/signin")
	}
	rec := t.stored(l.d.tap, c.token())
	rec.Data[len(rec.Data)-1] ^= 1
	t.save(inner, rec, driver.Always())
	c.visit("/keys", "/signin")
	l.searchBackend(t, c.token())
	l.e.wantNone(t, scene.name, l.secrets)
}

// build opens the site.
func (l *leakSite) build() {
	s := l.site
	s.sm.IdleTimeout = lifetime / 2
	for _, o := range l.scene.options {
		s.option(o)
	}
	if l.scene.way != nil {
		s.option(adapters.Tokens(l.scene.way.transport))
	}
	limit := func(context.Context) error {
		if l.refuse.Load() {
			return errLimit
		}
		return nil
	}
	s.option(adapters.Limit(adapters.Limits{Load: limit, Unknown: limit, Create: limit}))
	s.option(adapters.Logger(slog.New(slog.NewTextHandler(writerTo{&l.e, "a log line"}, nil))))
	s.option(adapters.OnError(func(_ context.Context, err error) error {
		l.fail(err)
		return nil
	}))
	s.route("/signin", s.signIn)
	s.route("/bad", func(c Context) error {
		s.sm.Put(c.Context(), "bad", []any{leakPayload, func() {}})
		return c.Send(http.StatusOK, "bad")
	})
	s.route("/late", func(c Context) error {
		err := c.Send(http.StatusOK, "late")
		s.sm.Put(c.Context(), "late", leakPayload)
		return err
	})
	users := map[string]func(ctx context.Context) error{
		"/sessions": func(ctx context.Context) error {
			for _, err := range l.store.SessionsOf(ctx, "ada") {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"/update": func(ctx context.Context) error {
			_, err := l.store.UpdateSessionsOf(ctx, "ada", func(values map[string]any) error {
				values["card"] = leakPayload + "1"
				return nil
			})
			return err
		},
		"/leave": func(ctx context.Context) error {
			_, err := l.store.DestroySessionsOf(ctx, "ada", s.sm.Token(ctx))
			return err
		},
	}
	for path, f := range users {
		s.route(path, func(c Context) error {
			if err := f(c.Context()); err != nil {
				l.fail(err)
				return err
			}
			return c.Send(http.StatusOK, "done")
		})
	}
	s.open()
}

// fail notes an error that the application gets.
func (l *leakSite) fail(err error) {
	l.e.add("an error", fmt.Sprintf("%v %+v %#v", err, err, err))
	l.e.add("an error", causes(err))
}

// leakClient is a client of the site, with its token.
type leakClient struct {
	l     *leakSite
	get   func(path string) *answer
	token func() string
}

// client returns a client with a token, or without one if it is empty.
func (l *leakSite) client(token string) leakClient {
	b := l.browser()
	if way := l.scene.way; way != nil {
		get := func(path string) *answer {
			a := b.do(http.MethodGet, path, way.request, way.scheme+token)
			if lines := a.header[tokenHeader]; len(lines) > 0 {
				token = lines[0]
			}
			return a
		}
		return leakClient{l, get, func() string { return token }}
	}
	if token != "" {
		b = l.with(token)
	}
	return leakClient{l, b.get, b.token}
}

// visit requests pages, and notes all of the responses except for the token where it belongs.
func (c leakClient) visit(paths ...string) {
	for _, path := range paths {
		a := c.get(path)
		var header strings.Builder
		for name, lines := range a.header {
			for _, line := range lines {
				if name != tokenHeader &&
					(name != "Set-Cookie" || !strings.HasPrefix(line, c.l.sm.Cookie.Name+"=")) {
					fmt.Fprintf(&header, "%s: %s\n", name, line)
				}
			}
		}
		c.l.e.add("a response", header.String()+a.body)
		if token := c.token(); token != "" {
			c.l.secrets[token] = "a token"
		}
	}
}

// visitAll visits every page, beside a second session of the user, a token that somebody has
// guessed, and a rate limiter that refuses.
func (c leakClient) visitAll() {
	put := "/put?k=card&v=" + leakPayload
	c.l.client("").visit("/signin")
	c.visit(put, "/signin", "/keys", "/late", "/bad", "/sessions", "/update", "/leave", put+"0")
	guess := c.l.client(newToken())
	c.l.secrets[guess.token()] = "a guessed token"
	guess.visit("/keys")
	c.l.refuse.Store(true)
	c.visit("/keys")
	c.l.client(guess.token()).visit("/keys")
	c.l.client("").visit(put)
	c.l.refuse.Store(false)
}

// searchBackend notes what the backend holds. With PlainIDs, that is tokens, but in ids only.
func (l *leakSite) searchBackend(t *checkT, token string) {
	note := func(rec driver.Record) {
		if l.scene.plain {
			rec.ID = ""
		}
		l.e.add("the backend", fmt.Sprintf("%+v %s", rec, rec.Data))
	}
	r, ok := driver.As[driver.Ranger](l.d.Driver)
	if !ok {
		note(t.stored(l.d.tap, token))
		return
	}
	for rec, err := range r.Range(t.Context()) {
		if err != nil {
			t.Fatalf("range: %v", err)
		}
		note(rec)
	}
}
