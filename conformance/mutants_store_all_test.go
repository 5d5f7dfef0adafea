package conformance

import (
	"errors"
	"maps"
	"slices"
)

func storeAllMutants() []mutant {
	return []mutant{
		storeMutant("all-nil", "all/empty",
			"All returns nil if there are no sessions", func(l *fakeStore) {
				l.all = func() (map[string][]byte, error) {
					all, err := l.mapStore.all()
					if len(all) == 0 {
						return nil, err
					}
					return all, err
				}
			}),
		storeMutant("all-one-buffer", "all/own-data",
			"All returns the same slice for every session", func(l *fakeStore) {
				l.all = func() (map[string][]byte, error) {
					all, err := l.mapStore.all()
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
		storeMutant("all-with-expired", "all/live-only",
			"All returns expired sessions", func(l *fakeStore) {
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
		storeMutant("all-hashed", "all/keys-find",
			"the keys of All are hashes of the tokens", func(l *fakeStore) {
				l.all = func() (map[string][]byte, error) {
					all, err := l.mapStore.all()
					hashed := make(map[string][]byte)
					for token, data := range all {
						hashed[idOf(token)] = data
					}
					return hashed, err
				}
			}),
		storeMutant("all-shares", "all/copies",
			"All returns the slices that are stored", func(l *fakeStore) {
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
		storeMutant("all-one-page", "all/many",
			"All returns at most 1000 sessions", func(l *fakeStore) {
				l.all = func() (map[string][]byte, error) {
					all, err := l.mapStore.all()
					for token := range maps.Clone(all) {
						if len(all) > 1000 {
							delete(all, token)
						}
					}
					return all, err
				}
			}),
		storeMutant("all-then-get", "all/concurrent-deletes",
			"All fails if a session is deleted while it runs", func(l *fakeStore) {
				l.delete = func(token string) error { beat(); return l.mapStore.delete(token) }
				l.all = func() (map[string][]byte, error) {
					all, _ := l.mapStore.all()
					beat()
					beat()
					for token := range all {
						if _, found, _ := l.mapStore.find(token); !found {
							return nil, errors.New("no such session")
						}
					}
					return all, nil
				}
			}),
	}
}
