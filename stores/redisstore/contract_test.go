package redisstore

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

func TestRoundTrip(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		_, err := s.Load(background, "a")
		want(t, "load of nothing", err, driver.ErrNotFound)

		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		for name, data := range map[string][]byte{
			"nil": nil, "empty": {}, "every byte": every,
			"1 MiB": bytes.Repeat([]byte{0, 0xff, 'x', '\n'}, 1<<18),
		} {
			rec := record("a", 7, time.Hour)
			rec.Data = data
			rec.Expiry = rec.Expiry.In(time.FixedZone("east", 3600))
			save(t, s, rec)
			got := load(t, s, "a")
			rec.Created = got.Created
			if !equal(got, rec) {
				t.Errorf("%s: got another record than the saved one", name)
			}
			if got.Expiry.Location() != time.UTC || cap(got.Data) != len(got.Data) {
				t.Errorf("%s: got expiry in %v and data with capacity %d, want UTC and %d", name,
					got.Expiry.Location(), cap(got.Data), len(got.Data))
			}
		}
	})
}

func TestConditions(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		for i, tc := range []struct {
			stored bool
			cond   driver.Condition
			want   error
		}{
			{false, driver.Always(), nil},
			{false, driver.IfAbsent(), nil},
			{false, driver.IfVersion(1), driver.ErrNotFound},
			{true, driver.Always(), nil},
			{true, driver.IfAbsent(), driver.ErrConflict},
			{true, driver.IfVersion(1), nil},
			{true, driver.IfVersion(2), driver.ErrConflict},
		} {
			what := fmt.Sprintf("stored %v, %+v", tc.stored, tc.cond)
			before := record(fmt.Sprint(i), 1, time.Minute)
			before.Created = before.Created.Add(-time.Hour)
			if tc.stored {
				save(t, s, before)
			}
			rec := record(before.ID, 9, time.Hour)
			rec.Data = []byte("new")
			err := s.Save(background, rec, tc.cond)
			if !errors.Is(err, tc.want) {
				t.Errorf("%s: got error %v, want %v", what, err, tc.want)
			}
			switch {
			case tc.stored && err == nil:
				rec.Created = before.Created
			case tc.stored:
				rec = before
			case err != nil:
				_, err := s.Load(background, rec.ID)
				want(t, what, err, driver.ErrNotFound)
				continue
			}
			if got := load(t, s, rec.ID); !equal(got, rec) {
				t.Errorf("%s: got %+v, want %+v", what, got, rec)
			}
			wantTTL(t, s, rec.ID, rec.Expiry)
		}
	})
}

// wantTTL checks the time at which Redis removes a session.
func wantTTL(t *testing.T, s *sessions, id string, expiry time.Time) {
	t.Helper()
	ms, err := s.client.Do(background, "pexpiretime", s.prefix+id).Int64()
	if err != nil || ms != expiry.UnixMilli() {
		t.Errorf("id %q: the key expires at %d, %v, want %d", id, ms, err, expiry.UnixMilli())
	}
}

func TestTouch(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		rec := record("a", 1<<60+3, time.Hour)
		save(t, s, rec)
		before, err := s.client.Get(background, s.prefix+"a").Result()
		if err != nil {
			t.Fatal(err)
		}
		for _, by := range []time.Duration{
			time.Minute + 3*time.Millisecond,
			-30 * time.Minute,
			200 * 365 * 24 * time.Hour,
		} {
			touch := touchTo("a", rec.Version, rec.Expiry.Add(by))
			rec.Expiry, rec.Seen = touch.Expiry, touch.Seen
			if err := s.Touch(background, touch); err != nil {
				t.Fatal(err)
			}
			if got := load(t, s, "a"); !equal(got, rec) {
				t.Errorf("got %+v, want %+v", got, rec)
			}
			wantTTL(t, s, "a", rec.Expiry)
		}
		after, err := s.client.Get(background, s.prefix+"a").Result()
		if err != nil || after[:9] != before[:9] || after[21:] != before[21:] {
			t.Errorf("touch changed more than expiry and seen (error %v)", err)
		}
		want(t, "touch of another version", s.Touch(background, touchTo("a", 1, time.Now())),
			driver.ErrConflict)
		err = s.Touch(background, touchTo("b", 1, time.Now().Add(time.Hour)))
		want(t, "touch of no session", err, driver.ErrNotFound)
		if n := s.client.Exists(background, s.prefix+"b").Val(); n != 0 {
			t.Error("touch created a key")
		}
	})
}

// A save or touch with an expiry in the past leaves no key, whatever the condition.
func TestPastExpiry(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		for i, expiry := range []time.Time{
			time.Now().Add(-time.Millisecond),
			time.Now().Add(-30 * 365 * 24 * time.Hour),
			time.Unix(0, 0),
			time.Unix(-1, 0),
			{},
		} {
			past := func(id string) driver.Record {
				return driver.Record{ID: id, Expiry: expiry, Version: 2}
			}
			for name, op := range map[string]func(id string) error{
				"save": func(id string) error {
					return s.Save(background, past(id), driver.Always())
				},
				"save if absent": func(id string) error {
					if err := s.Delete(background, id, driver.Always()); err != nil {
						return err
					}
					return s.Save(background, past(id), driver.IfAbsent())
				},
				"save if version": func(id string) error {
					return s.Save(background, past(id), driver.IfVersion(1))
				},
				"touch": func(id string) error { return s.Touch(background, touchTo(id, 1, expiry)) },
			} {
				id := fmt.Sprint(name, i)
				save(t, s, record(id, 1, time.Hour))
				if err := op(id); err != nil {
					t.Errorf("%s: %v", id, err)
				}
				if n, err := s.client.Exists(background, s.prefix+id).Result(); n != 0 || err != nil {
					t.Errorf("%s: the key exists (error %v)", id, err)
				}
				_, err := s.Load(background, id)
				want(t, id, err, driver.ErrNotFound)
			}
		}
	})
}

// A session's key has a time to live after each kind of operation.
func TestEveryKeyExpires(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		store, err := scskit.NewStore(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		sm := scskit.New(store)
		sm.IdleTimeout = time.Minute
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				token := ""
				for i := range 10 {
					ctx, err := sm.Load(scskit.WithTracker(background), token)
					if err != nil {
						t.Error(err)
						return
					}
					switch i % 4 {
					case 1:
						if err := sm.RenewToken(ctx); err != nil {
							t.Error(err)
						}
					case 2:
						sm.SetDeadline(ctx, time.Now().Add(time.Hour))
					case 3: // Commit touches the session
					default:
						sm.Put(ctx, "k", i)
					}
					if token, _, err = sm.Commit(ctx); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		n := 0
		for rec, err := range s.Range(background) {
			if err != nil {
				t.Fatal(err)
			}
			n++
			wantTTL(t, s, rec.ID, rec.Expiry)
		}
		if n < 10 {
			t.Errorf("got %d sessions, want at least 10", n)
		}
	})
}

// A session whose key has lost its time to live still expires, by the expiry in the record.
func TestPersistedKey(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		rec := record("a", 1, time.Hour)
		save(t, s, rec)
		if err := s.client.Persist(background, s.prefix+"a").Err(); err != nil {
			t.Fatal(err)
		}
		s.now = func() time.Time { return rec.Expiry.Add(-time.Millisecond) }
		load(t, s, "a")
		s.now = func() time.Time { return rec.Expiry }
		_, err := s.Load(background, "a")
		want(t, "load", err, driver.ErrNotFound)
		for range s.Range(background) {
			t.Error("range yields the expired session")
		}
	})
}

func TestOneWinnerPerVersion(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		for version := range int64(10) {
			cond := driver.IfVersion(version)
			if version == 0 {
				cond = driver.IfAbsent()
			}
			var wins atomic.Int64
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					err := s.Save(background, record("a", version+1, time.Hour), cond)
					if err == nil {
						wins.Add(1)
					} else if !errors.Is(err, driver.ErrConflict) {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			if wins.Load() != 1 {
				t.Fatalf("version %d: %d saves succeed, want 1", version, wins.Load())
			}
		}
	})
}

// A value that this package did not write is not a session, and stays unchanged.
func TestForeignValues(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		rec := record("x", 1, time.Hour)
		ours := string(encode(rec))
		rec.User = "alice"
		owned := string(encode(rec))
		gob := "\x2c\x7f\x03\x01\x02\xff\x80\x00\x01\x02" +
			"\x01\x08Deadline\x01\xff\x82\x00\x01\x06Values\x01\xff\x84"
		c := s.client
		key := func(id string) string { return s.prefix + id }
		foreign := map[string]func(id string) error{
			"empty": func(id string) error { return c.Set(background, key(id), "", 0).Err() },
			"text": func(id string) error {
				return c.Set(background, key(id), "a long value of another program", 0).Err()
			},
			"gob":    func(id string) error { return c.Set(background, key(id), gob, time.Hour).Err() },
			"number": func(id string) error { return c.Incr(background, key(id)).Err() },
			"first byte": func(id string) error {
				return c.Set(background, key(id), ours[:1], time.Hour).Err()
			},
			"cut": func(id string) error {
				return c.Set(background, key(id), ours[:header-1], time.Hour).Err()
			},
			"user cut": func(id string) error {
				return c.Set(background, key(id), owned[:fromUser+4], time.Hour).Err()
			},
			"no user": func(id string) error {
				return c.Set(background, key(id), owned[:header], time.Hour).Err()
			},
			"user too long": func(id string) error {
				long := owned[:header] + "\x41" + strings.Repeat("u", 100)
				return c.Set(background, key(id), long, time.Hour).Err()
			},
			"hash": func(id string) error {
				return c.HSet(background, key(id), "field", "value").Err()
			},
			"list": func(id string) error { return c.RPush(background, key(id), "value").Err() },
			"set":  func(id string) error { return c.SAdd(background, key(id), "value").Err() },
			"stream": func(id string) error {
				return c.Do(background, "xadd", key(id), "*", "field", "value").Err()
			},
		}
		for id, put := range foreign {
			if err := put(id); err != nil {
				t.Fatalf("%s: %v", id, err)
			}
			before := c.Dump(background, key(id)).Val()
			_, err := s.Load(background, id)
			want(t, id+": load", err, driver.ErrNotFound)
			err = s.Touch(background, touchTo(id, 2, time.Now().Add(time.Hour)))
			want(t, id+": touch", err, driver.ErrNotFound)
			rec := record(id, 3, time.Hour)
			err = s.Save(background, rec, driver.IfVersion(2))
			want(t, id+": save if version", err, driver.ErrNotFound)
			err = s.Save(background, rec, driver.IfAbsent())
			want(t, id+": save if absent", err, driver.ErrConflict)
			if after := c.Dump(background, key(id)).Val(); after != before || after == "" {
				t.Errorf("%s: the value changed", id)
			}
		}
		for rec := range s.Range(background) {
			t.Errorf("range yields %q", rec.ID)
		}
		for id := range foreign {
			rec := record(id, 1, time.Hour)
			save(t, s, rec) // replaces any value
			if got := load(t, s, id); !equal(got, rec) {
				t.Errorf("%s: got %+v, want %+v", id, got, rec)
			}
			wantTTL(t, s, id, rec.Expiry)
			if err := s.Delete(background, id, driver.Always()); err != nil {
				t.Errorf("%s: delete: %v", id, err)
			}
		}
	})
}

// A foreign value under a session's key starts a new session. It does not fail every request.
func TestForeignValueStartsNewSession(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		store, err := New(s.client, &Options{Prefix: s.prefix})
		if err != nil {
			t.Fatal(err)
		}
		sm := scskit.New(store)
		token := testenv.Name(t)
		key := s.prefix + scskit.HashToken(token)
		if err := s.client.HSet(background, key, "field", "value").Err(); err != nil {
			t.Fatal(err)
		}
		ctx, err := sm.Load(scskit.WithTracker(background), token)
		if err != nil {
			t.Fatal(err)
		}
		sm.Put(ctx, "k", 1)
		if fresh, _, err := sm.Commit(ctx); err != nil || fresh == token {
			t.Errorf("commit: got error %v, same token %v, want a new token", err, fresh == token)
		}
	})
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := newSessions(t, singleClient(t), testenv.Name(t))
	rec := record("a", 1, time.Hour)
	rec.Data = make([]byte, maxData+1) // takes no memory until it is written to
	err := s.Save(background, rec, driver.Always())
	want := driver.TooLargeError{Size: maxData + 1, Limit: maxData}
	var tooLarge *driver.TooLargeError
	if !errors.As(err, &tooLarge) || *tooLarge != want {
		t.Errorf("got error %v, want %v", err, &want)
	}
}
