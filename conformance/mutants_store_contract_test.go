package conformance

import (
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/internal/mutants"
)

func storeMutant(name, check, defect string, change func(*fakeStore)) mutant {
	return mutant{
		Mutant: mutants.Mutant{Name: "store/" + name, Check: check, Defect: defect},
		levels: []Level{LevelStore},
		store: &Store{
			Name: name,
			New:  func(testing.TB) scs.Store { return newFakeStore(newMapStore(), change) },
			Reopen: func(_ testing.TB, s scs.Store) scs.Store {
				return newFakeStore(s.(*fakeStore).mapStore, change)
			},
		}}
}

// beat lets other goroutines run.
func beat() { time.Sleep(2 * time.Millisecond) }

func storeContractMutants() []mutant {
	var shared sync.Map // sessions, by the check
	oneShelf := storeMutant("one-shelf-for-all", "contract/separate-stores",
		"every store of a check shares its sessions", func(*fakeStore) {})
	oneShelf.store.New = func(tb testing.TB) scs.Store {
		s, _ := shared.LoadOrStore(tb, newMapStore())
		return newFakeStore(s.(*mapStore), func(*fakeStore) {})
	}

	return []mutant{
		storeMutant("correct", "", "", func(*fakeStore) {}),
		oneShelf,
		storeMutant("missing-is-an-error", "contract/missing",
			"Find returns an error for a token without a session", func(l *fakeStore) {
				l.find = func(token string) ([]byte, bool, error) {
					data, found, err := l.mapStore.find(token)
					if !found {
						err = errors.New("no rows in result set")
					}
					return data, found, err
				}
			}),
		storeMutant("find-consumes", "contract/round-trip",
			"Find deletes the session", func(l *fakeStore) {
				l.find = func(token string) ([]byte, bool, error) {
					defer l.mapStore.delete(token)
					return l.mapStore.find(token)
				}
			}),
		storeMutant("first-data-stays", "contract/overwrite",
			"Commit keeps the data of a live session",
			func(l *fakeStore) {
				l.commit = func(token string, data []byte, e time.Time) error {
					if b, ok := l.peek(token); ok && b.live() {
						data = b.data
					}
					return l.mapStore.commit(token, data, e)
				}
			}),
		storeMutant("delete-does-nothing", "contract/delete",
			"Delete does nothing", func(l *fakeStore) {
				l.delete = func(string) error { return nil }
			}),
		storeMutant("delete-missing-is-an-error", "contract/delete-missing",
			"Delete returns an error for a token without a session", func(l *fakeStore) {
				l.delete = func(token string) error {
					if _, ok := l.peek(token); !ok {
						return errors.New("no such session")
					}
					return l.mapStore.delete(token)
				}
			}),
		storeMutant("delete-twice-is-an-error", "contract/delete-twice",
			"Delete returns an error for a token that it has deleted before",
			func(l *fakeStore) {
				var deleted sync.Map
				l.delete = func(token string) error {
					if _, ok := l.peek(token); !ok {
						if _, before := deleted.Load(token); before {
							return errors.New("session is deleted already")
						}
						return nil
					}
					deleted.Store(token, true)
					return l.mapStore.delete(token)
				}
			}),
		storeMutant("delete-race-is-an-error", "concurrency/deletes",
			"Delete returns an error if another Delete is faster", func(l *fakeStore) {
				l.delete = func(token string) error {
					if _, ok := l.peek(token); !ok {
						return nil
					}
					beat()
					if _, ok := l.peek(token); !ok {
						return errors.New("no rows affected")
					}
					return l.mapStore.delete(token)
				}
			}),
		storeMutant("deleted-for-ever", "contract/commit-after-delete",
			"Commit ignores a token that was deleted before",
			func(l *fakeStore) {
				var deleted sync.Map
				l.delete = func(token string) error {
					deleted.Store(token, true)
					return l.mapStore.delete(token)
				}
				l.commit = func(token string, data []byte, e time.Time) error {
					if _, ok := deleted.Load(token); ok {
						return nil
					}
					return l.mapStore.commit(token, data, e)
				}
			}),
		storeMutant("delete-clears", "contract/isolation",
			"Delete removes every session",
			func(l *fakeStore) { l.delete = func(string) error { return l.clear() } }),
		storeMutant("empty-is-missing", "contract/empty-payload",
			"Find takes empty data for a missing session", func(l *fakeStore) {
				l.find = func(token string) ([]byte, bool, error) {
					data, _, err := l.mapStore.find(token)
					return data, len(data) > 0, err
				}
			}),
		storeMutant("folds-case", "contract/token-case",
			"tokens are compared without regard to case",
			func(l *fakeStore) { l.keyed(strings.ToLower) }),
		storeMutant("trims-space", "contract/token-space",
			"spaces around a token are dropped",
			func(l *fakeStore) { l.keyed(strings.TrimSpace) }),
		storeMutant("folds-accents", "contract/token-unicode",
			"tokens are compared without regard to accents", func(l *fakeStore) {
				l.keyed(strings.NewReplacer("á", "a", "a\u0301", "a").Replace)
			}),
		storeMutant("cuts-tokens", "contract/token-prefix",
			"tokens are cut to 42 bytes",
			func(l *fakeStore) {
				l.keyed(func(token string) string { return token[:min(len(token), 42)] })
			}),
		storeMutant("decodes-tokens", "contract/token-base64",
			"tokens are decoded from base64 and compared as bytes", func(l *fakeStore) {
				l.keyed(func(token string) string {
					text := strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(token), "=")
					if b, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(text) > 40 {
						return string(b)
					}
					return token
				})
			}),
		storeMutant("keeps-input", "contract/aliasing-input",
			"Commit keeps the slice of the caller", func(l *fakeStore) { l.commit = l.put }),
		storeMutant("shares-output", "contract/aliasing-output",
			"Find returns the slice that is stored", func(l *fakeStore) {
				l.find = func(token string) ([]byte, bool, error) {
					b, ok := l.peek(token)
					if !ok || !b.live() {
						return nil, false, nil
					}
					return b.data, true, nil
				}
			}),
		storeMutant("adopts-tokens", "contract/find-creates-nothing",
			"Find creates a session under an unknown token", func(l *fakeStore) {
				l.find = func(token string) ([]byte, bool, error) {
					data, found, err := l.mapStore.find(token)
					if _, ok := l.peek(token); !ok && len(token) == 43 {
						_ = l.mapStore.commit(token, nil, in(lifetime))
					}
					return data, found, err
				}
			}),
		storeMutant("plain-methods-panic", "contract/context-methods",
			"the methods without a context panic",
			func(l *fakeStore) { l.plain = func() { panic("use the Ctx methods") } }),
		storeMutant("caches", "contract/second-instance",
			"each instance caches what it has written", func(l *fakeStore) {
				cache := newMapStore()
				l.find = func(token string) ([]byte, bool, error) {
					if data, found, _ := cache.find(token); found {
						return data, found, nil
					}
					return l.mapStore.find(token)
				}
				l.commit = func(token string, data []byte, e time.Time) error {
					_ = cache.commit(token, data, e)
					return l.mapStore.commit(token, data, e)
				}
				l.delete = func(token string) error { _ = cache.delete(token); return l.mapStore.delete(token) }
			}),
	}
}
