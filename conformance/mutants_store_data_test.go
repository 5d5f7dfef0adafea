package conformance

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"time"
)

func storeDataMutants() []mutant {
	return []mutant{
		storeMutant("insert-or-update", "concurrency/first-writers",
			"Commit reads before it inserts, and fails if another Commit is faster", func(l *fakeStore) {
				l.commit = func(token string, data []byte, e time.Time) error {
					_, before := l.peek(token)
					beat()
					if _, now := l.peek(token); now && !before {
						return errors.New("duplicate key")
					}
					return l.mapStore.commit(token, data, e)
				}
			}),
		storeMutant("writes-in-parts", "concurrency/torn-reads",
			"Commit stores large data in two steps", func(l *fakeStore) {
				l.commit = func(token string, data []byte, e time.Time) error {
					if len(data) > 1000 {
						_ = l.mapStore.commit(token, data[:1000], e)
						beat()
					}
					return l.mapStore.commit(token, data, e)
				}
			}),
		storeMutant("one-buffer", "concurrency/many-sessions",
			"concurrent commits share a buffer", func(l *fakeStore) {
				var mu sync.Mutex
				var buf []byte
				l.commit = func(token string, data []byte, e time.Time) error {
					mu.Lock()
					buf = data
					mu.Unlock()
					beat()
					mu.Lock()
					defer mu.Unlock()
					return l.mapStore.commit(token, buf, e)
				}
			}),
		storeMutant("c-strings", "data/every-byte",
			"data ends at the first NUL", func(l *fakeStore) {
				l.stored(func(b []byte) []byte { before, _, _ := bytes.Cut(b, []byte{0}); return before })
			}),
		storeMutant("mysql-blob", "data/64k",
			"data is cut to 65535 bytes",
			func(l *fakeStore) { l.stored(func(b []byte) []byte { return b[:min(len(b), 1<<16-1)] }) }),
		storeMutant("half-a-megabyte", "data/1m",
			"data is cut to 512 KiB",
			func(l *fakeStore) { l.stored(func(b []byte) []byte { return b[:min(len(b), 1<<19)] }) }),
		storeMutant("injectable", "hostile/injection",
			"SQL in the token of a Delete removes every session", func(l *fakeStore) {
				l.delete = func(token string) error {
					if strings.Contains(token, "' OR ") {
						return l.clear()
					}
					return l.mapStore.delete(token)
				}
			}),
		storeMutant("tokens-are-utf-8", "hostile/malformed-token",
			"Find returns an error for a token that is not UTF-8", func(l *fakeStore) {
				l.find = func(token string) ([]byte, bool, error) {
					if strings.ToValidUTF8(token, "") != token || strings.ContainsRune(token, 0) {
						return nil, false, errors.New("invalid byte sequence for encoding UTF8")
					}
					return l.mapStore.find(token)
				}
			}),
		storeMutant("empty-token-is-all", "hostile/empty-token",
			"Delete removes every session if the token is empty", func(l *fakeStore) {
				l.delete = func(token string) error {
					if token == "" {
						return l.clear()
					}
					return l.mapStore.delete(token)
				}
			}),
		storeMutant("long-token-is-an-error", "hostile/huge-token",
			"Find returns an error for a token of more than 250 bytes", func(l *fakeStore) {
				l.find = func(token string) ([]byte, bool, error) {
					if len(token) > 250 {
						return nil, false, errors.New("key too long")
					}
					return l.mapStore.find(token)
				}
			}),
	}
}
