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

func storeMutant(name, check, defect string, change func(*library)) mutant {
	return mutant{
		Mutant: mutants.Mutant{Name: "store/" + name, Check: check, Defect: defect},
		levels: []Level{LevelStore},
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
	oneShelf := storeMutant("one-shelf-for-all", "contract/separate-stores",
		"every store of a check shares its sessions", func(*library) {})
	oneShelf.store.New = func(tb testing.TB) scs.Store {
		s, _ := shared.LoadOrStore(tb, newShelf())
		return newLibrary(s.(*shelf), func(*library) {})
	}

	return []mutant{
		storeMutant("correct", "", "", func(*library) {}),
		oneShelf,
		storeMutant("missing-is-an-error", "contract/missing",
			"Find returns an error for a token without a session", func(l *library) {
				l.find = func(token string) ([]byte, bool, error) {
					data, found, err := l.shelf.find(token)
					if !found {
						err = errors.New("no rows in result set")
					}
					return data, found, err
				}
			}),
		storeMutant("find-consumes", "contract/round-trip",
			"Find deletes the session", func(l *library) {
				l.find = func(token string) ([]byte, bool, error) {
					defer l.shelf.delete(token)
					return l.shelf.find(token)
				}
			}),
		storeMutant("first-data-stays", "contract/overwrite",
			"Commit keeps the data of a live session",
			func(l *library) {
				l.commit = func(token string, data []byte, e time.Time) error {
					if b, ok := l.peek(token); ok && b.live() {
						data = b.data
					}
					return l.shelf.commit(token, data, e)
				}
			}),
		storeMutant("delete-does-nothing", "contract/delete",
			"Delete does nothing", func(l *library) {
				l.delete = func(string) error { return nil }
			}),
		storeMutant("delete-missing-is-an-error", "contract/delete-missing",
			"Delete returns an error for a token without a session", func(l *library) {
				l.delete = func(token string) error {
					if _, ok := l.peek(token); !ok {
						return errors.New("no such session")
					}
					return l.shelf.delete(token)
				}
			}),
		storeMutant("delete-twice-is-an-error", "contract/delete-twice",
			"Delete returns an error for a token that it has deleted before",
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
		storeMutant("delete-race-is-an-error", "concurrency/deletes",
			"Delete returns an error if another Delete is faster", func(l *library) {
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
		storeMutant("deleted-for-ever", "contract/commit-after-delete",
			"Commit ignores a token that was deleted before",
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
		storeMutant("delete-clears", "contract/isolation",
			"Delete removes every session",
			func(l *library) { l.delete = func(string) error { return l.clear() } }),
		storeMutant("empty-is-missing", "contract/empty-payload",
			"Find takes empty data for a missing session", func(l *library) {
				l.find = func(token string) ([]byte, bool, error) {
					data, _, err := l.shelf.find(token)
					return data, len(data) > 0, err
				}
			}),
		storeMutant("folds-case", "contract/token-case",
			"tokens are compared without regard to case",
			func(l *library) { l.keyed(strings.ToLower) }),
		storeMutant("trims-space", "contract/token-space",
			"spaces around a token are dropped",
			func(l *library) { l.keyed(strings.TrimSpace) }),
		storeMutant("folds-accents", "contract/token-unicode",
			"tokens are compared without regard to accents", func(l *library) {
				l.keyed(strings.NewReplacer("á", "a", "a\u0301", "a").Replace)
			}),
		storeMutant("cuts-tokens", "contract/token-prefix",
			"tokens are cut to 42 bytes",
			func(l *library) { l.keyed(func(token string) string { return token[:min(len(token), 42)] }) }),
		storeMutant("decodes-tokens", "contract/token-base64",
			"tokens are decoded from base64 and compared as bytes", func(l *library) {
				l.keyed(func(token string) string {
					text := strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(token), "=")
					if b, err := base64.RawURLEncoding.DecodeString(text); err == nil && len(text) > 40 {
						return string(b)
					}
					return token
				})
			}),
		storeMutant("keeps-input", "contract/aliasing-input",
			"Commit keeps the slice of the caller", func(l *library) { l.commit = l.put }),
		storeMutant("shares-output", "contract/aliasing-output",
			"Find returns the slice that is stored", func(l *library) {
				l.find = func(token string) ([]byte, bool, error) {
					b, ok := l.peek(token)
					if !ok || !b.live() {
						return nil, false, nil
					}
					return b.data, true, nil
				}
			}),
		storeMutant("adopts-tokens", "contract/find-creates-nothing",
			"Find creates a session under an unknown token", func(l *library) {
				l.find = func(token string) ([]byte, bool, error) {
					data, found, err := l.shelf.find(token)
					if _, ok := l.peek(token); !ok && len(token) == 43 {
						_ = l.shelf.commit(token, nil, in(lifetime))
					}
					return data, found, err
				}
			}),
		storeMutant("plain-methods-panic", "contract/context-methods",
			"the methods without a context panic",
			func(l *library) { l.plain = func() { panic("use the Ctx methods") } }),
		storeMutant("caches", "contract/second-instance",
			"each instance caches what it has written", func(l *library) {
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
