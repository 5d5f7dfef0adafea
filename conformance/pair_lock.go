package conformance

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// pairLockChecks cover adapters.Lock.
var pairLockChecks = []check{
	{"pair/lock", LevelPair, lockIncrements,
		"adapters.Lock: of fifty parallel requests (fewer on a slow backend) that read a number and " +
			"put the next one, none is lost"},
	{"pair/lock-ends", LevelPair, lockEnds,
		"adapters.Lock: the session is free when its request has ended, however that was"},
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
			lock, err := store.Lock(t.Context(), token, scskit.LockOptions{MaxWait: -1})
			if err != nil {
				t.Fatalf("after %s: %v", path, err)
			}
			lock.Release(t.Context())
		}
	}
}
