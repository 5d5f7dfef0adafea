package migrate_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/migrate"
)

var (
	keyA = sha256.Sum256([]byte("a"))
	keyB = sha256.Sum256([]byte("b"))
)

// The records are as the target wants them, with the same times, versions and users.
func TestCopyForms(t *testing.T) {
	t.Parallel()
	forms := map[string]scskit.Options{
		"hashed": {UserKey: "user"},
		"plain":  {UserKey: "user", PlainIDs: true},
		"sealed": {UserKey: "user", Keys: [][]byte{keyA[:]}},
		"other":  {UserKey: "user", Keys: [][]byte{keyB[:]}, PlainIDs: true},
		"gob":    {UserKey: "user", Codec: scs.GobCodec{}},
	}
	for from, source := range forms {
		for to, target := range forms {
			t.Run(from+" to "+to, func(t *testing.T) {
				t.Parallel()
				s := newScene(t, source, target)
				tokens := s.sessions(20)
				old := tokens[3]
				tokens[3] = s.from.renew(old)
				s.advance(time.Minute)
				r, err := migrate.Copy(t.Context(), s.from.Store, s.to.Store, nil)
				if !source.PlainIDs && target.PlainIDs {
					if !errors.Is(err, migrate.ErrHashedIDs) || len(s.to.records()) != 0 {
						t.Errorf("got %v", err)
					}
					return
				}
				must(t, err)
				want(t, r, "21 listed, 21 copied")
				if r.Tombstones != 1 {
					t.Errorf("%d tombstones", r.Tombstones)
				}
				s.equal()
				for i, token := range tokens {
					if v := s.to.value(token, "n"); v != i {
						t.Errorf("session %d has %v", i, v)
					}
				}
				id := func(token string) string {
					if target.PlainIDs {
						return token
					}
					return scskit.HashToken(token)
				}
				a, b := s.from.records(), s.to.records()
				for key, rec := range a {
					if source.PlainIDs && !target.PlainIDs {
						key = scskit.HashToken(key)
					}
					got := b[key]
					if got.Version != rec.Version || got.User != rec.User || !got.Expiry.Equal(rec.Expiry) ||
						!got.Created.Equal(rec.Created) || !got.Updated.Equal(rec.Updated) ||
						!got.Seen.Equal(rec.Seen) {
						t.Errorf("got %+v, want %+v", got, rec)
					}
					if sealed := bytes.HasPrefix(got.Data, []byte("\xc1S")); sealed != (target.Keys != nil) {
						t.Errorf("sealed: %v", sealed)
					}
				}
				if _, ok := b[id(old)]; !ok {
					t.Error("the tombstone was not copied")
				}
				// A sign-out with the old token ends the renewed session: the tombstone leads to it.
				sm := scskit.New(s.to.Store)
				must(t, s.to.Delete(old))
				ctx, err := sm.Load(t.Context(), tokens[3])
				must(t, err)
				if sm.Exists(ctx, "n") {
					t.Error("the tombstone does not lead to its successor")
				}
				want(t, s.copy(nil), "21 listed, 2 copied, 19 unchanged")
			})
		}
	}
}

// TestAgain checks what a second copy does with what has changed in either backend.
func TestAgain(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	tokens := s.sessions(10)
	want(t, s.copy(nil), "10 listed, 10 copied")
	want(t, s.copy(nil), "10 listed, 10 unchanged")
	s.advance(time.Minute)

	s.from.save(tokens[0], "n", "source")
	s.to.save(tokens[1], "n", "target")
	s.from.save(tokens[2], "n", "source, first")
	s.advance(time.Second)
	s.to.save(tokens[2], "n", "target, last")
	s.to.save(tokens[3], "n", "target, first")
	s.advance(time.Second)
	s.from.save(tokens[3], "n", "source, last")
	next := s.from.renew(tokens[4])
	s.to.renew(tokens[5])
	s.advance(time.Second)
	s.from.save(tokens[5], "n", "does not replace the tombstone")

	r := s.copy(&migrate.Options{DryRun: true})
	want(t, r, "11 listed, 1 copied, 3 replaced, 4 unchanged, 3 newer in the target (dry run)")
	r = s.copy(nil)
	want(t, r, "11 listed, 1 copied, 3 replaced, 4 unchanged, 3 newer in the target")
	if r.Tombstones != 1 {
		t.Errorf("%d tombstones", r.Tombstones)
	}
	for i, v := range []any{"source", "target", "target, last", "source, last", nil, nil, 6} {
		if got := s.to.value(tokens[i], "n"); got != v {
			t.Errorf("session %d: got %v, want %v", i, got, v)
		}
	}
	if got := s.to.value(next, "n"); got != 4 {
		t.Errorf("the renewed session has %v", got)
	}
	want(t, s.copy(nil), "11 listed, 8 unchanged, 3 newer in the target")
}

// Two saves within a millisecond cannot be told apart by their time: the source wins.
func TestSameMillisecond(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	token := s.from.save("", "n", 1)
	s.copy(nil)
	s.from.save(token, "n", 2)
	want(t, s.copy(nil), "1 listed, 1 replaced")
	s.equal()
}

// A session that was only used gets its later expiry.
func TestProlonged(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{TouchInterval: -1}, scskit.Options{})
	token := s.from.save("", "n", 1)
	s.copy(nil)
	s.advance(time.Minute)
	for _, rec := range s.from.records() {
		rec.Expiry, rec.Seen = rec.Expiry.Add(time.Hour), s.Now()
		must(t, s.from.d.Touch(t.Context(), rec))
	}
	want(t, s.copy(nil), "1 listed, 1 prolonged")
	s.equal()
	s.advance(24*time.Hour + 10*time.Minute)
	if rec := s.to.records()[scskit.HashToken(token)]; rec.ID == "" {
		t.Error("the session has expired in the target")
	}
	// The record lives, but the session's deadline is over.
	want(t, s.copy(nil), "1 listed, 1 expired")
}

// A session that ends in the source between the listing and the write does not live on.
func TestDestroyedMeanwhile(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	tokens := s.sessions(3)
	s.to.d.hook = func(op, id string) error {
		switch {
		case op != "save":
		case id == scskit.HashToken(tokens[0]):
			return s.from.d.Delete(t.Context(), id, driver.Always())
		case id == scskit.HashToken(tokens[1]) && s.from.d.count("changed") == 0:
			_ = s.from.d.call("changed", "")
			s.advance(time.Second)
			s.from.save(tokens[1], "n", "changed")
		}
		return nil
	}
	want(t, s.copy(&migrate.Options{Concurrency: 1}),
		"3 listed, 1 copied, 1 replaced, 1 ended in the source")
	s.equal()
	if v := s.to.value(tokens[1], "n"); v != "changed" {
		t.Errorf("got %v", v)
	}
}

func TestUnreadableAndFailed(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{MaxSize: 1000})
	tokens := s.sessions(5)
	big := s.from.save("", "n", strings.Repeat("x", 2000))
	must(t, s.from.d.Driver.Save(t.Context(), driver.Record{
		ID: "damaged", Data: []byte("damaged"), Expiry: s.Now().Add(time.Hour), Version: 1,
	}, driver.Always()))
	must(t, s.from.d.Driver.Save(t.Context(), driver.Record{
		ID: "sealed", Data: []byte("\xc1S\x01 under a key of others, which nobody here has"),
		Expiry: s.Now().Add(time.Hour), Version: 1,
	}, driver.Always()))
	lock, err := s.from.Lock(scskit.WithTracker(t.Context()), tokens[0],
		scskit.LockOptions{Lease: time.Hour})
	must(t, err)
	defer lock.Release(t.Context())

	r, err := migrate.Copy(t.Context(), s.from.Store, s.to.Store, nil)
	want(t, r, "9 listed, 5 copied, 1 locks, 2 unreadable, 1 failed")
	var partial *migrate.PartialError
	if !errors.As(err, &partial) || partial.Report.Failed != 1 || len(r.Problems) != 3 {
		t.Fatalf("got %v", err)
	}
	for _, target := range []error{scskit.ErrCorrupt, scskit.ErrUnknownKey, driver.ErrTooLarge} {
		if !errors.Is(err, target) {
			t.Errorf("the error does not match %v", target)
		}
	}
	if strings.Contains(err.Error(), big) || strings.Contains(err.Error(), "xxx") {
		t.Errorf("the error has secrets: %v", err)
	}
	r, err = migrate.Copy(t.Context(), s.from.Store, s.to.Store, &migrate.Options{StopOnError: true})
	if err == nil || errors.As(err, &partial) || len(r.Problems) == 0 {
		t.Errorf("got %v", err)
	}
}

// A target that is down ends the copy, and one that fails now and then does not.
func TestTargetFails(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{PlainIDs: true}, scskit.Options{PlainIDs: true})
	tokens := s.sessions(50)
	fails := 0
	s.to.d.hook = func(op, id string) error {
		if fails++; op == "save" && fails%10 == 0 {
			return errors.New("cannot save " + id)
		}
		return nil
	}
	want(t, s.copy(&migrate.Options{Concurrency: 1}), "50 listed, 50 copied")
	s.from.save(tokens[0], "n", "changed")
	s.to.d.hook = func(_, id string) error { return errors.Join(errDown, errors.New(id)) }
	r, err := migrate.Copy(t.Context(), s.from.Store, s.to.Store, nil)
	if !errors.Is(err, errDown) || r.Failed < 20 || r.Failed > 40 {
		t.Errorf("%v: %v", r, err)
	}
	for _, token := range tokens {
		if strings.Contains(err.Error(), token) {
			t.Errorf("the error has a token: %v", err)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	s.sessions(100)
	ctx, cancel := context.WithCancel(t.Context())
	s.to.d.hook = func(op, _ string) error {
		if op == "save" && s.to.d.count("save") == 30 {
			cancel()
		}
		return nil
	}
	r, err := migrate.Copy(ctx, s.from.Store, s.to.Store, nil)
	if !errors.Is(err, context.Canceled) || r.Failed > 0 || r.Copied > 40 {
		t.Errorf("%v: %v", r, err)
	}
}

func TestUnusable(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	bare, err := scskit.NewStore(struct{ driver.Driver }{s.from.d}, nil)
	must(t, err)
	for name, c := range map[string]struct {
		from, to *scskit.Store
		opts     migrate.Options
	}{
		"nil":            {from: s.from.Store},
		"same":           {from: s.from.Store, to: s.from.WithTimeout(time.Minute)},
		"cannot list":    {from: bare, to: s.to.Store},
		"rate":           {s.from.Store, s.to.Store, migrate.Options{Rate: -1}},
		"concurrency":    {s.from.Store, s.to.Store, migrate.Options{Concurrency: -1}},
		"prune an empty": {s.from.Store, s.to.Store, migrate.Options{Prune: true}},
	} {
		_, err := migrate.Copy(t.Context(), c.from, c.to, &c.opts)
		if err == nil || !strings.HasPrefix(err.Error(), "migrate: copy: ") {
			t.Errorf("%s: got %v", name, err)
		}
		if name == "cannot list" && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("got %v", err)
		}
	}
}

func TestRateAndProgress(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	s.sessions(60)
	var seen []migrate.Progress
	begin := time.Now()
	s.copy(&migrate.Options{
		Rate: 100, Count: true, ProgressInterval: 20 * time.Millisecond,
		Progress: func(p migrate.Progress) { seen = append(seen, p) },
	})
	if d := time.Since(begin); d < 450*time.Millisecond {
		t.Errorf("60 records at 100 per second took %v", d)
	}
	last := seen[len(seen)-1]
	if len(seen) < 5 || last.Total != 60 || last.Report.Copied != 60 || last.Remaining != 0 {
		t.Errorf("%d calls, the last with %+v", len(seen), last)
	}
	if mid := seen[len(seen)/2]; mid.Remaining <= 0 || mid.Rate <= 0 || mid.Report.Copied == 0 {
		t.Errorf("in the middle: %+v", mid)
	}
}
