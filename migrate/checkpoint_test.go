package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/migrate"
)

// memory is a checkpoint in memory that fails if err is set.
type memory struct {
	mu   sync.Mutex
	text []byte
	err  error
}

func (m *memory) Load(context.Context) ([]byte, error) { return m.text, m.err }

func (m *memory) Save(_ context.Context, text []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.text = text
	}
	return m.err
}

// interrupt copies until n records are saved in the target.
func (s *scene) interrupt(n int, opts *migrate.Options) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	defer cancel()
	s.to.d.hook = func(op, _ string) error {
		if op == "save" && s.to.d.count("save") > n {
			cancel()
			return ctx.Err()
		}
		return nil
	}
	if _, err := migrate.Copy(ctx, s.from.Store, s.to.Store, opts); !errors.Is(err, ctx.Err()) {
		s.Fatalf("got %v", err)
	}
	s.to.d.hook = nil
}

// A copy of a source with an order goes on where it was, and does not bring back what was destroyed
// in the target meanwhile.
func TestResumeInOrder(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprint("plain=", plain), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, scskit.Options{PlainIDs: plain}, scskit.Options{})
			s.from.d.ordered = true
			tokens := s.sessions(300)
			s.advance(time.Hour)
			name := filepath.Join(t.TempDir(), "move.json")
			opts := &migrate.Options{Checkpoint: migrate.File(name), Skew: -1, Concurrency: 1}
			s.interrupt(200, opts)

			text, err := os.ReadFile(name)
			must(t, err)
			for _, token := range tokens {
				if strings.Contains(string(text), token) || strings.Contains(string(text), token[:9]) {
					t.Errorf("the checkpoint has a token: %s", text)
				}
			}
			if info, _ := os.Stat(name); info.Mode().Perm()&0o077 != 0 {
				t.Errorf("the mode of the checkpoint is %v", info.Mode())
			}
			var lost string
			for _, token := range tokens {
				if s.to.value(token, "n") != nil && (lost == "" || token < lost) {
					lost = token
				}
			}
			if !plain { // the first in the order of hashes
				for _, token := range tokens {
					if scskit.HashToken(token) < scskit.HashToken(lost) {
						lost = token
					}
				}
			}
			s.to.destroy(lost)
			s.advance(time.Minute)
			asked := s.to.d.count("load")
			r := s.copy(opts)
			if !r.Resumed || r.Skipped < 195 || r.Copied != 300-200 || r.Done() != 300 {
				t.Errorf("%v, resumed: %v", r, r.Resumed)
			}
			if n := s.to.d.count("load") - asked; n > 300-r.Skipped {
				t.Errorf("the target was asked %d times", n)
			}
			if s.to.value(lost, "n") != nil {
				t.Error("the session that was destroyed in the target is back")
			}
			if c := s.compare(); c.Missing != 1 || c.Extra+c.Different != 0 {
				t.Errorf("%+v", c)
			}
			// And once more, with a session that is new, and one that is destroyed in the target.
			s.advance(time.Hour)
			s.to.destroy(tokens[7])
			s.from.save(tokens[8], "n", "changed")
			s.from.save("", "n", "new")
			want(t, s.copy(opts), "301 listed, 1 copied, 1 replaced, 299 skipped")
			if s.to.value(tokens[7], "n") != nil {
				t.Error("the session that was destroyed in the target is back")
			}
		})
	}
}

// A copy from a source without an order compares all records, and copies none twice.
func TestResumeWithoutOrder(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	tokens := s.sessions(300)
	s.advance(time.Hour)
	opts := &migrate.Options{Checkpoint: &memory{}, Skew: -1}
	s.interrupt(200, opts)
	saves := s.to.d.count("save")
	r := s.copy(opts)
	if !r.Resumed || r.Copied != 100 || r.Unchanged != 200 || s.to.d.count("save")-saves != 100 {
		t.Errorf("%v, with %d saves", r, s.to.d.count("save")-saves)
	}
	s.equal()
	s.advance(time.Hour)
	s.to.destroy(tokens[0])
	s.to.destroy(tokens[1])
	s.from.save(tokens[1], "n", "used in the source all the same")
	want(t, s.copy(opts), "300 listed, 1 copied, 299 skipped")
}

// A position does not hide records if the source has no order after all.
func TestLostOrder(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	s.from.d.ordered = true
	s.sessions(300)
	s.advance(time.Hour)
	opts := &migrate.Options{Checkpoint: &memory{}, Skew: -1}
	s.interrupt(200, opts)
	s.from.d.ordered = false
	for id, rec := range s.to.records() {
		must(t, s.to.d.Delete(t.Context(), id, driver.IfVersion(rec.Version)))
	}
	r := s.copy(opts)
	if r.Skipped+r.Ended > 0 || r.Copied+r.Unchanged != 300 {
		t.Errorf("%v", r)
	}
}

// A session that was used within Skew of the last copy is compared again.
func TestSkew(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	tokens := s.sessions(2)
	opts := &migrate.Options{Checkpoint: &memory{}, Skew: 10 * time.Second}
	s.advance(time.Minute)
	s.from.save(tokens[1], "n", "changed")
	s.advance(time.Second)
	want(t, s.copy(opts), "2 listed, 2 copied")
	s.advance(time.Hour)
	want(t, s.copy(opts), "2 listed, 1 unchanged, 1 skipped")
	s.advance(time.Hour)
	want(t, s.copy(opts), "2 listed, 2 skipped")
}

// A session that was only used since the last copy, and is gone from the target, stays away.
func TestUsedAndEnded(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	token := s.from.save("", "n", 1)
	opts := &migrate.Options{Checkpoint: &memory{}}
	s.advance(time.Hour)
	s.copy(opts)
	s.to.destroy(token)
	s.advance(time.Hour)
	for _, rec := range s.from.records() {
		rec.Seen = s.Now()
		must(t, s.from.d.Touch(t.Context(), rec))
	}
	want(t, s.copy(opts), "1 listed, 1 ended in the target")
}

// What could not be copied is tried again, although it is older than the last copy.
func TestRetry(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	tokens := s.sessions(5)
	s.advance(time.Hour)
	opts := &migrate.Options{Checkpoint: &memory{}}
	s.to.d.hook = func(_, id string) error {
		if id == scskit.HashToken(tokens[2]) {
			return errDown
		}
		return nil
	}
	r, err := migrate.Copy(t.Context(), s.from.Store, s.to.Store, opts)
	want(t, r, "5 listed, 4 copied, 1 failed")
	if !errors.Is(err, errDown) {
		t.Errorf("got %v", err)
	}
	s.to.d.hook = nil
	s.advance(time.Hour)
	want(t, s.copy(opts), "5 listed, 1 copied, 4 skipped")
	s.advance(time.Hour)
	want(t, s.copy(opts), "5 listed, 5 skipped")
	s.equal()
}

func TestDryRunSavesNothing(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	s.sessions(5)
	m := &memory{}
	r := s.copy(&migrate.Options{Checkpoint: m, DryRun: true})
	want(t, r, "5 listed, 5 copied (dry run)")
	if m.text != nil || len(s.to.records()) > 0 || s.to.d.count("save") > 0 {
		t.Error("a dry run has saved something")
	}
}

func TestBadCheckpoint(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	s.sessions(1)
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged")
	must(t, os.WriteFile(damaged, []byte("{"), 0o600))
	other := newScene(t, scskit.Options{PlainIDs: true}, scskit.Options{})
	shared := &memory{}
	other.copy(&migrate.Options{Checkpoint: shared})
	for name, c := range map[string]migrate.Checkpoint{
		"damaged":      migrate.File(damaged),
		"no directory": migrate.File(filepath.Join(dir, "none", "file")),
		"fails":        &memory{err: errDown},
		"of others":    shared,
	} {
		if _, err := migrate.Copy(t.Context(), s.from.Store, s.to.Store,
			&migrate.Options{Checkpoint: c}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(s.to.records()) > 0 {
		t.Error("something was copied")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestPrune(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprint("plain=", plain), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, scskit.Options{PlainIDs: plain}, scskit.Options{})
			tokens := s.sessions(10)
			opts := &migrate.Options{Checkpoint: &memory{}}
			s.copy(opts)
			s.advance(time.Minute)
			s.from.destroy(tokens[1])
			s.from.destroy(tokens[2])
			if c := s.compare(); c.Extra != 2 || c.Missing+c.Different > 0 || len(c.Differences) != 2 {
				t.Errorf("%+v", c)
			}
			if r := s.copy(&migrate.Options{Prune: true, DryRun: true}); r.Pruned != 2 {
				t.Errorf("%v", r)
			}
			opts.Prune = true
			if r := s.copy(opts); r.Pruned != 2 {
				t.Errorf("%v", r)
			}
			s.equal()
		})
	}
}
