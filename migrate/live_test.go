package migrate_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/migrate"
)

// A copy of a source in use, and a last one that prunes, make both sides equal. Whatever ends in
// both, in the source first, is gone from the target after each copy.
func TestLive(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	tokens := s.sessions(300)
	opts := &migrate.Options{Checkpoint: &memory{}, Skew: -1}
	s.to.d.hook = func(op, id string) error {
		switch {
		case op == "save" && rand.IntN(50) == 0:
			return errDown // before the save
		case op == "load" && rand.IntN(50) == 0:
			return errDown
		}
		return nil
	}
	s.from.d.hook = func(op, _ string) error {
		if op == "load" && rand.IntN(200) == 0 {
			return errDown
		}
		time.Sleep(time.Duration(rand.IntN(100)) * time.Microsecond)
		return nil
	}
	var ended []string
	var wg sync.WaitGroup
	wg.Go(func() {
		for i, token := range tokens {
			s.advance(time.Millisecond)
			id := scskit.HashToken(token)
			switch i % 4 {
			case 0: // ends in both
				for _, side := range []*side{s.from, s.to} {
					err := side.d.Delete(t.Context(), id, driver.Always())
					if err != nil && !errors.Is(err, driver.ErrNotFound) {
						t.Error(err)
					}
				}
				ended = append(ended, id)
			case 1:
				rec, err := s.from.d.Driver.Load(t.Context(), id)
				if err != nil {
					t.Error(err)
					continue
				}
				held := rec.Version
				rec.Version, rec.Updated, rec.Seen = rand.Int64(), s.Now(), s.Now()
				if err := s.from.d.Driver.Save(t.Context(), rec, driver.IfVersion(held)); err != nil {
					t.Error(err)
				}
			}
			time.Sleep(100 * time.Microsecond)
		}
	})
	r, err := migrate.Copy(t.Context(), s.from.Store, s.to.Store, opts)
	var partial *migrate.PartialError
	if err != nil && !errors.As(err, &partial) {
		t.Error(err)
	}
	wg.Wait()
	t.Log(r)
	left := s.to.records()
	for _, id := range ended {
		if _, ok := left[id]; ok && r.Failed == 0 {
			t.Errorf("a session that has ended is in the target")
		}
	}
	s.to.d.hook, s.from.d.hook = nil, nil
	s.advance(time.Second)
	opts.Prune = true
	t.Log(s.copy(opts))
	s.equal()
}

// A save that was carried out although it failed is found, and the record looked at again.
func TestLostReply(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	token := s.from.save("", "n", 1)
	id := scskit.HashToken(token)
	saves := 0
	s.to.d.after = func(op string) error {
		if op != "save" {
			return nil
		}
		if saves++; saves > 1 {
			return nil
		}
		// The session ends just now.
		must(t, s.from.d.Delete(t.Context(), id, driver.Always()))
		return errDown
	}
	want(t, s.copy(nil), "1 listed, 1 ended in the source")
	if len(s.to.records()) > 0 {
		t.Error("the session lives on")
	}
}
