package conformance

import (
	"encoding/base64"
	"errors"
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

func storeContractMutants() []mutant {
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
	}
}
