package conformance

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// pairLockChecks cover adapters.Lock.
var pairLockChecks = []check{
	{"pair/lock", LevelPair, lockIncrements,
		"adapters.Lock: of fifty parallel requests (fewer on a slow backend) that read a number and " +
			"put the next one, none is lost"},
	{"pair/lock-renewed", LevelPair, lockRenewed,
		"adapters.Lock: requests with the old and the new token of a session that RenewEvery has " +
			"renewed take turns"},
	{"pair/lock-ends", LevelPair, lockEnds,
		"adapters.Lock: the session is free when its request has ended, however that was, or when its " +
			"response has begun"},
}

// newLocked returns an application with adapters.Lock.
func (t *checkT) newLocked(o scskit.LockOptions) (*site, *scskit.Store) {
	t.Helper()
	s := t.newSite()
	t.needsBackend(s)
	store, ok := scskit.StoreOf(s.store)
	if !ok {
		t.notApplicable("the store is not a *scskit.Store")
	}
	s.option(adapters.Lock(o))
	return s, store
}

func lockIncrements(t *checkT) {
	n := t.crowd(50, 6)
	for _, lazy := range []bool{false, true} {
		s, _ := t.newLocked(scskit.LockOptions{
			Lease: time.Hour, RetryDelay: time.Second, MaxWait: t.crowdTimeout(),
		})
		if lazy {
			s.option(adapters.Lazy())
		}
		s.route("/next", func(c Context) error {
			i, _ := strconv.Atoi(s.sm.GetString(c.Context(), "n"))
			time.Sleep(time.Millisecond) // so that others meet it without the lock
			s.sm.Put(c.Context(), "n", strconv.Itoa(i+1))
			return c.Send(http.StatusOK, "next")
		})
		s.open()
		b := s.browser()
		b.put("n", "0")
		visits := make([]*visit, n)
		for i := range visits {
			visits[i] = b.start("/next")
		}
		for _, v := range visits {
			v.wait().want(t, http.StatusOK, "next")
		}
		b.wantValue("n", fmt.Sprint(n))
	}
}

func lockRenewed(t *checkT) {
	n := t.crowd(10, 8)
	s, _ := t.newLocked(scskit.LockOptions{
		Lease: time.Hour, RetryDelay: 10 * time.Millisecond, MaxWait: t.crowdTimeout(),
	})
	s.option(adapters.RenewEvery(every))
	s.route("/next", func(c Context) error {
		i, _ := strconv.Atoi(s.sm.GetString(c.Context(), "n"))
		time.Sleep(time.Millisecond)
		s.sm.Put(c.Context(), "n", strconv.Itoa(i+1))
		return c.Send(http.StatusOK, "next")
	})
	s.open()
	b := s.browser()
	b.put("n", "0")
	old := b.token()
	t.pause(every)
	b.get("/keys").wantCookie(t)
	visits := make([]*visit, n)
	for i := range visits {
		if i%2 == 0 {
			visits[i] = b.start("/next")
		} else {
			visits[i] = s.with(old).start("/next")
		}
	}
	for _, v := range visits {
		v.wait().want(t, http.StatusOK, "next")
	}
	b.wantValue("n", fmt.Sprint(n))
}

func lockEnds(t *checkT) {
	for _, place := range []Placement{Outside, Inside} {
		s, store := t.newLocked(scskit.LockOptions{Lease: time.Hour, MaxWait: -1})
		s.app.Recover = place
		s.route("/panic", func(c Context) error {
			s.sm.Put(c.Context(), "k", "panic")
			panic("test")
		})
		s.route("/error", func(c Context) error {
			s.sm.Put(c.Context(), "k", "error")
			return errors.New("test")
		})
		s.open()
		b := s.browser()
		b.put("k", "v")
		for _, path := range []string{"/get?k=k", "/plain", "/put?k=k&v=w", "/error", "/panic",
			"/unknown", "/renew", "/destroy"} {
			token := b.token()
			b.get(path)
			t.wantFree(store, token, "after "+path)
		}
	}
	lockEndsBegun(t)
	lockEndsClientGone(t)
}

// wantFree ends the check if the session is locked.
func (t *checkT) wantFree(store *scskit.Store, token, when string) {
	t.Helper()
	lock, err := store.Lock(t.Context(), token, scskit.LockOptions{MaxWait: -1})
	if err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	lock.Release(t.Context())
}

// lockEndsBegun checks that the session is free when the response has begun.
func lockEndsBegun(t *checkT) {
	s, store := t.newLocked(scskit.LockOptions{Lease: time.Hour, MaxWait: -1})
	g := t.gate()
	s.route("/can", func(c Context) error {
		_, stream := c.(Streamer)
		_, upgrade := c.(Upgrader)
		return c.Send(http.StatusOK, fmt.Sprintf("stream %t, upgrade %t", stream, upgrade))
	})
	s.route("/stream", func(c Context) error {
		f, err := contextAs[Streamer](s, c)
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "stream")
		return f.Stream(func(w io.Writer, flush func() error) error {
			if err := begin(w, flush); err != nil {
				return err
			}
			g.pass()
			return nil
		})
	})
	s.route("/upgrade", func(c Context) error {
		u, err := contextAs[Upgrader](s, c)
		if err != nil {
			return err
		}
		s.sm.Put(c.Context(), "k", "upgrade")
		return u.Upgrade("echo", func(conn io.ReadWriter) {
			_, _ = bufio.NewReader(conn).ReadString('\n')
		})
	})
	s.open()
	b := s.browser()
	b.put("k", "v")
	can := b.get("/can").body
	if strings.Contains(can, "stream true") {
		v := b.start("/stream")
		g.await(1)
		t.wantFree(store, b.token(), "while a stream is open")
		b.wantValue("k", "stream") // takes the lock
		g.open()
		v.wait().want(t, http.StatusOK, begun)
		t.wantFree(store, b.token(), "after a stream")
	}
	if !strings.Contains(can, "upgrade true") {
		return
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.base+"/upgrade",
		http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "echo")
	res, err := b.begin(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	s.checkSupport()
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("response: status %d, want 101", res.StatusCode)
	}
	t.wantFree(store, b.token(), "while a websocket is open")
	b.wantValue("k", "upgrade") // takes the lock
}

// lockEndsClientGone checks that the lock lasts until the handler has returned, and no longer, if
// the client has hung up.
func lockEndsClientGone(t *checkT) {
	s, store := t.newLocked(scskit.LockOptions{Lease: time.Hour, MaxWait: -1})
	g := t.gate()
	s.heldRoute("/slow", g, func(c Context) error {
		s.sm.Put(c.Context(), "k", "w")
		return c.Send(http.StatusOK, "to nobody")
	})
	w := s.watch()
	s.open()
	b := s.browser()
	b.put("k", "v")
	w.drain()
	b.hangUp("/slow", g)
	if _, err := store.Lock(t.Context(), b.token(), scskit.LockOptions{MaxWait: -1}); err == nil {
		t.Fatal("the lock ended before the handler")
	}
	g.open()
	w.ended(t, "commit")
	t.soon("the session is free", func() bool {
		lock, err := store.Lock(t.Context(), b.token(), scskit.LockOptions{MaxWait: -1})
		lock.Release(t.Context())
		return err == nil
	})
	b.wantValue("k", "w")
}
