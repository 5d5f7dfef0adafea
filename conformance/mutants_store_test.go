package conformance

import (
	"bytes"
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

func storeMutant(name, fails string, change func(*library)) mutant {
	return mutant{name: "store/" + name, levels: []Level{LevelStore}, fails: strings.Fields(fails),
		store: &Store{
			Name: name,
			New:  func(testing.TB) scs.Store { return newLibrary(newShelf(), change) },
			Reopen: func(_ testing.TB, s scs.Store) scs.Store {
				return newLibrary(s.(*library).shelf, change)
			},
		}}
}

// beat is a moment in which other goroutines run.
func beat() { time.Sleep(2 * time.Millisecond) }

func storeMutants() []mutant {
	var shared sync.Map // shelves by the check that asked for them
	oneShelf := storeMutant("one-shelf-for-all", `contract/separate-stores`, func(*library) {})
	oneShelf.store.New = func(tb testing.TB) scs.Store {
		s, _ := shared.LoadOrStore(tb, newShelf())
		return newLibrary(s.(*shelf), func(*library) {})
	}

	return []mutant{
		storeMutant("correct", ``, func(*library) {}),
		oneShelf,
		storeMutant("missing-is-an-error", `
			all/keys-delete all/live-only concurrency/deletes concurrency/many-sessions contract/context-methods
			contract/delete contract/find-creates-nothing contract/missing contract/second-instance
			contract/separate-stores contract/token-base64 contract/token-case contract/token-prefix
			contract/token-space contract/token-unicode expiry/expired expiry/past expiry/past-overwrites
			expiry/reuse expiry/shorten expiry/sub-second expiry/zone-east hostile/empty-token hostile/huge-token
			hostile/injection hostile/malformed-token`, func(l *library) {
			l.find = func(token string) ([]byte, bool, error) {
				data, found, err := l.shelf.find(token)
				if !found {
					err = errors.New("no rows in result set")
				}
				return data, found, err
			}
		}),
		storeMutant("find-consumes", `
			concurrency/torn-reads contract/aliasing-output contract/isolation contract/round-trip
			contract/separate-stores`, func(l *library) {
			l.find = func(token string) ([]byte, bool, error) {
				defer l.shelf.delete(token)
				return l.shelf.find(token)
			}
		}),
		storeMutant("first-data-stays",
			`concurrency/many-sessions contract/overwrite contract/second-instance data/1m data/64k`,
			func(l *library) {
				l.commit = func(token string, data []byte, e time.Time) error {
					if b, ok := l.peek(token); ok && b.live() {
						data = b.data
					}
					return l.shelf.commit(token, data, e)
				}
			}),
		storeMutant("delete-does-nothing", `
			all/concurrent-deletes all/keys-delete all/live-only concurrency/deletes concurrency/many-sessions
			contract/context-methods contract/delete contract/second-instance`, func(l *library) {
			l.delete = func(string) error { return nil }
		}),
		storeMutant("delete-missing-is-an-error", `
			concurrency/deletes contract/delete-missing contract/delete-twice contract/token-base64
			contract/token-case contract/token-prefix contract/token-space contract/token-unicode hostile/empty-token
			hostile/huge-token hostile/injection hostile/malformed-token`, func(l *library) {
			l.delete = func(token string) error {
				if _, ok := l.peek(token); !ok {
					return errors.New("no such session")
				}
				return l.shelf.delete(token)
			}
		}),
		storeMutant("delete-twice-is-an-error", `concurrency/deletes contract/delete-twice`,
			func(l *library) {
				var deleted sync.Map
				l.delete = func(token string) error {
					if _, ok := l.peek(token); !ok {
						if _, before := deleted.Load(token); before {
							return errors.New("session is deleted already")
						}
						return nil
					}
					deleted.Store(token, true)
					return l.shelf.delete(token)
				}
			}),
		storeMutant("delete-race-is-an-error", `concurrency/deletes`, func(l *library) {
			l.delete = func(token string) error {
				if _, ok := l.peek(token); !ok {
					return nil
				}
				beat()
				if _, ok := l.peek(token); !ok {
					return errors.New("no rows affected")
				}
				return l.shelf.delete(token)
			}
		}),
		storeMutant("deleted-for-ever", `contract/commit-after-delete contract/context-methods`,
			func(l *library) {
				var deleted sync.Map
				l.delete = func(token string) error { deleted.Store(token, true); return l.shelf.delete(token) }
				l.commit = func(token string, data []byte, e time.Time) error {
					if _, ok := deleted.Load(token); ok {
						return nil
					}
					return l.shelf.commit(token, data, e)
				}
			}),
		storeMutant("delete-clears", `
			all/concurrent-deletes all/keys-delete all/live-only ~concurrency/many-sessions contract/isolation
			contract/token-base64 contract/token-case contract/token-prefix contract/token-space
			contract/token-unicode hostile/empty-token hostile/injection hostile/malformed-token`, func(l *library) { l.delete = func(string) error { return l.clear() } }),
		storeMutant("empty-is-missing", `contract/empty-payload`, func(l *library) {
			l.find = func(token string) ([]byte, bool, error) {
				data, _, err := l.shelf.find(token)
				return data, len(data) > 0, err
			}
		}),
		storeMutant("folds-case", `contract/token-case contract/token-unicode`,
			func(l *library) { l.keyed(strings.ToLower) }),
		storeMutant("trims-space", `contract/token-space`,
			func(l *library) { l.keyed(strings.TrimSpace) }),
		storeMutant("folds-accents", `contract/token-unicode`, func(l *library) {
			l.keyed(strings.NewReplacer("á", "a", "a\u0301", "a").Replace)
		}),
		storeMutant("cuts-tokens", `
			contract/token-base64 contract/token-prefix contract/token-space contract/token-unicode hostile/injection
			hostile/malformed-token`, func(l *library) { l.keyed(func(token string) string { return token[:min(len(token), 42)] }) }),
		storeMutant("decodes-tokens", `contract/token-base64 contract/token-space`, func(l *library) {
			l.keyed(func(token string) string {
				text := strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(token), "=")
				if b, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(text) > 40 {
					return string(b)
				}
				return token
			})
		}),
		storeMutant("keeps-input", `contract/aliasing-input`, func(l *library) { l.commit = l.put }),
		storeMutant("shares-output", `contract/aliasing-output`, func(l *library) {
			l.find = func(token string) ([]byte, bool, error) {
				b, ok := l.peek(token)
				if !ok || !b.live() {
					return nil, false, nil
				}
				return b.data, true, nil
			}
		}),
		storeMutant("adopts-tokens", `all/keys-delete contract/find-creates-nothing`, func(l *library) {
			l.find = func(token string) ([]byte, bool, error) {
				data, found, err := l.shelf.find(token)
				if _, ok := l.peek(token); !ok && len(token) == 43 {
					_ = l.shelf.commit(token, nil, in(lifetime))
				}
				return data, found, err
			}
		}),
		storeMutant("plain-methods-panic", `contract/context-methods`,
			func(l *library) { l.plain = func() { panic("use the Ctx methods") } }),
		storeMutant("caches", `contract/second-instance`, func(l *library) {
			cache := newShelf()
			l.find = func(token string) ([]byte, bool, error) {
				if data, found, _ := cache.find(token); found {
					return data, found, nil
				}
				return l.shelf.find(token)
			}
			l.commit = func(token string, data []byte, e time.Time) error {
				_ = cache.commit(token, data, e)
				return l.shelf.commit(token, data, e)
			}
			l.delete = func(token string) error { _ = cache.delete(token); return l.shelf.delete(token) }
		}),
		storeMutant("all-nil", `all/empty`, func(l *library) {
			l.all = func() (map[string][]byte, error) {
				all, err := l.shelf.all()
				if len(all) == 0 {
					return nil, err
				}
				return all, err
			}
		}),
		storeMutant("all-one-buffer", `
			all/concurrent-deletes all/copies all/keys-delete all/keys-find all/live-only all/many all/own-data`, func(l *library) {
			l.all = func() (map[string][]byte, error) {
				all, err := l.shelf.all()
				var last []byte
				for token, data := range all {
					last = append(last[:0], data...)
					all[token] = last
				}
				for token := range all {
					all[token] = last
				}
				return all, err
			}
		}),
		storeMutant("all-with-expired", `all/live-only`, func(l *library) {
			l.all = func() (map[string][]byte, error) {
				l.mu.Lock()
				defer l.mu.Unlock()
				all := make(map[string][]byte)
				for token, b := range l.sessions {
					all[token] = slices.Clone(b.data)
				}
				return all, nil
			}
		}),
		storeMutant("all-hashed", `all/keys-delete all/keys-find`, func(l *library) {
			l.all = func() (map[string][]byte, error) {
				all, err := l.shelf.all()
				hashed := make(map[string][]byte)
				for token, data := range all {
					hashed[idOf(token)] = data
				}
				return hashed, err
			}
		}),
		storeMutant("all-shares", `all/copies`, func(l *library) {
			l.all = func() (map[string][]byte, error) {
				l.mu.Lock()
				defer l.mu.Unlock()
				all := make(map[string][]byte)
				for token, b := range l.sessions {
					if b.live() {
						all[token] = b.data
					}
				}
				return all, nil
			}
		}),
		storeMutant("all-one-page", `all/many`, func(l *library) {
			l.all = func() (map[string][]byte, error) {
				all, err := l.shelf.all()
				for token := range maps.Clone(all) {
					if len(all) > 1000 {
						delete(all, token)
					}
				}
				return all, err
			}
		}),
		storeMutant("all-then-get", `all/concurrent-deletes`, func(l *library) {
			l.delete = func(token string) error { beat(); return l.shelf.delete(token) }
			l.all = func() (map[string][]byte, error) {
				all, _ := l.shelf.all()
				beat()
				beat()
				for token := range all {
					if _, found, _ := l.shelf.find(token); !found {
						return nil, errors.New("no such session")
					}
				}
				return all, nil
			}
		}),
		storeMutant("never-expires", `
			all/live-only expiry/expired expiry/past expiry/past-overwrites expiry/reuse expiry/shorten
			expiry/sub-second expiry/zone-east`, func(l *library) {
			l.expiring(func(string, time.Time) time.Time { return in(lifetime) })
		}),
		storeMutant("whole-seconds", `expiry/sub-second ~expiry/past`, func(l *library) {
			l.expiring(func(_ string, e time.Time) time.Time {
				return e.Add(time.Second - time.Nanosecond).Truncate(time.Second)
			})
		}),
		storeMutant("past-lives-for-ever", `expiry/past expiry/past-overwrites`, func(l *library) {
			l.expiring(func(_ string, e time.Time) time.Time {
				if time.Until(e) <= 0 {
					return in(lifetime)
				}
				return e
			})
		}),
		storeMutant("past-does-nothing", `expiry/past-overwrites`, func(l *library) {
			l.commit = func(token string, data []byte, e time.Time) error {
				if time.Until(e) <= 0 {
					return nil
				}
				return l.shelf.commit(token, data, e)
			}
		}),
		storeMutant("expiry-stays", `expiry/extend`, func(l *library) {
			l.expiring(func(token string, e time.Time) time.Time {
				if b, ok := l.peek(token); ok && b.live() && time.Until(e) > 0 && e.After(b.expiry) {
					return b.expiry
				}
				return e
			})
		}),
		storeMutant("expiry-only-extends", `expiry/shorten`, func(l *library) {
			l.expiring(func(token string, e time.Time) time.Time {
				if b, ok := l.peek(token); ok && b.live() && time.Until(e) > 0 && e.Before(b.expiry) {
					return b.expiry
				}
				return e
			})
		}),
		storeMutant("32-bit-time", `expiry/far-future`, func(l *library) {
			l.expiring(func(_ string, e time.Time) time.Time {
				if e.Year() < 2038 {
					return e
				}
				return time.Unix(int64(int32(e.Unix())), 0)
			})
		}),
		storeMutant("drops-zone", `expiry/zone-east expiry/zone-west`, func(l *library) {
			l.expiring(func(_ string, e time.Time) time.Time {
				if e.Location() == time.Local {
					return e
				}
				return time.Date(e.Year(), e.Month(), e.Day(), e.Hour(), e.Minute(), e.Second(), e.Nanosecond(),
					time.UTC)
			})
		}),
		storeMutant("expired-in-the-way", `expiry/reuse`, func(l *library) {
			l.commit = func(token string, data []byte, e time.Time) error {
				if b, ok := l.peek(token); ok && !b.live() {
					return errors.New("duplicate key")
				}
				return l.shelf.commit(token, data, e)
			}
		}),
		storeMutant("insert-or-update", `concurrency/first-writers`, func(l *library) {
			l.commit = func(token string, data []byte, e time.Time) error {
				_, before := l.peek(token)
				beat()
				if _, now := l.peek(token); now && !before {
					return errors.New("duplicate key")
				}
				return l.shelf.commit(token, data, e)
			}
		}),
		storeMutant("writes-in-parts", `concurrency/torn-reads`, func(l *library) {
			l.commit = func(token string, data []byte, e time.Time) error {
				if len(data) > 1000 {
					_ = l.shelf.commit(token, data[:1000], e)
					beat()
				}
				return l.shelf.commit(token, data, e)
			}
		}),
		storeMutant("one-buffer", `concurrency/many-sessions ~all/concurrent-deletes ~all/copies ~all/keys-delete ~all/live-only ~all/many ~all/own-data`, func(l *library) {
			var mu sync.Mutex
			var buf []byte
			l.commit = func(token string, data []byte, e time.Time) error {
				mu.Lock()
				buf = data
				mu.Unlock()
				beat()
				mu.Lock()
				defer mu.Unlock()
				return l.shelf.commit(token, buf, e)
			}
		}),
		storeMutant("c-strings", `
			all/concurrent-deletes all/copies all/keys-delete all/live-only all/many all/own-data
			data/1m data/64k data/every-byte`, func(l *library) {
			l.stored(func(b []byte) []byte { before, _, _ := bytes.Cut(b, []byte{0}); return before })
		}),
		storeMutant("mysql-blob", `data/1m data/64k`,
			func(l *library) { l.stored(func(b []byte) []byte { return b[:min(len(b), 1<<16-1)] }) }),
		storeMutant("half-a-megabyte", `data/1m`,
			func(l *library) { l.stored(func(b []byte) []byte { return b[:min(len(b), 1<<19)] }) }),
		storeMutant("injectable", `hostile/injection`, func(l *library) {
			l.delete = func(token string) error {
				if strings.Contains(token, "' OR ") {
					return l.clear()
				}
				return l.shelf.delete(token)
			}
		}),
		storeMutant("tokens-are-utf-8", `hostile/malformed-token`, func(l *library) {
			l.find = func(token string) ([]byte, bool, error) {
				if strings.ToValidUTF8(token, "") != token || strings.ContainsRune(token, 0) {
					return nil, false, errors.New("invalid byte sequence for encoding UTF8")
				}
				return l.shelf.find(token)
			}
		}),
		storeMutant("empty-token-is-all", `hostile/empty-token`, func(l *library) {
			l.delete = func(token string) error {
				if token == "" {
					return l.clear()
				}
				return l.shelf.delete(token)
			}
		}),
		storeMutant("long-token-is-an-error", `hostile/huge-token`, func(l *library) {
			l.find = func(token string) ([]byte, bool, error) {
				if len(token) > 250 {
					return nil, false, errors.New("key too long")
				}
				return l.shelf.find(token)
			}
		}),
	}
}
