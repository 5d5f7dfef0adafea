package conformance

import (
	"time"

	"github.com/alexedwards/scs/v2"
)

// storeAllChecks cover scs.IterableStore: a store that can list its sessions.
var storeAllChecks = []check{
	{"all/empty", LevelStore, allEmpty,
		"scs.IterableStore: without sessions, All returns an empty map that is not nil"},
	{"all/own-data", LevelStore, allOwnData,
		"scs.IterableStore: All returns each session once, with its own data"},
	{"all/live-only", LevelStore, allLiveOnly,
		"scs.IterableStore: All returns no expired and no deleted session"},
	{"all/keys-find", LevelStore, allKeysFind,
		"scs.IterableStore: Find accepts the keys of All"},
	{"all/keys-delete", LevelStore, allKeysDelete,
		"scs.IterableStore: Delete accepts the keys of All; " +
			"SessionManager.Iterate with Destroy relies on it"},
	{"all/copies", LevelStore, allCopies,
		"the caller may change the data that All returns"},
	{"all/many", LevelStore, allMany,
		"All returns more sessions than one page of the backend holds"},
	{"all/concurrent-deletes", LevelStore, allConcurrentDeletes,
		"All succeeds while other sessions are deleted, and returns those that are not"},
}

func allEmpty(t *checkT) {
	if all := t.all(t.newStore()); all == nil || len(all) != 0 {
		t.Errorf("all: got %v, want an empty map", all)
	}
}

func allOwnData(t *checkT) {
	s := t.newStore()
	want := t.fill(s, 20)
	t.wantAll(s, want)
}

func allLiveOnly(t *checkT) {
	s := t.newStore()
	t.all(s) // ends the check if the store cannot list its sessions
	want := t.fill(s, 3)
	expired, deleted := newToken(), newToken()
	t.commit(s, expired, []byte("expired"), in(t.short()))
	t.commit(s, deleted, []byte("deleted"), in(lifetime))
	t.remove(s, deleted)
	t.until(in(t.short()+2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, expired) })
	t.wantAll(s, want)
}

func allKeysFind(t *checkT) {
	s := t.newStore()
	t.fill(s, 10)
	for key, data := range t.all(s) {
		t.wantData(s, key, data)
	}
}

func allKeysDelete(t *checkT) {
	s := t.newStore()
	want := t.fill(s, 10)
	for key, data := range t.all(s) {
		token := want[string(data)]
		t.remove(s, key)
		t.wantNone(s, token)
		delete(want, string(data))
		t.wantAll(s, want)
	}
}

func allCopies(t *checkT) {
	s := t.newStore()
	want := t.fill(s, 2)
	for _, data := range t.all(s) {
		copy(data, "XXXX")
	}
	t.wantAll(s, want)
	for data, token := range want {
		t.wantData(s, token, []byte(data))
	}
}

func allMany(t *checkT) {
	s := t.newStore()
	if _, ok := s.(scs.IterableStore); !ok {
		t.all(s) // ends the check if the store cannot list its sessions
	}
	t.wantAll(s, t.fill(s, 1050))
}

func allConcurrentDeletes(t *checkT) {
	s := t.newStore()
	t.all(s)
	stay := t.fill(s, 50)
	for range 10 {
		leave := make([]string, 5)
		for i := range leave {
			leave[i] = newToken()
			t.commit(s, leave[i], t.encode(map[string]any{"leaves": i}), in(lifetime))
		}
		t.each(2, func(i int) {
			if i == 0 {
				for _, token := range leave {
					t.remove(s, token)
				}
				return
			}
			seen := make(map[string]bool)
			for _, data := range t.all(s) {
				seen[string(data)] = true
			}
			for data := range stay {
				if !seen[data] {
					t.Fatalf("all: a session that was not deleted is missing")
				}
			}
		})
	}
	t.wantAll(s, stay)
}

// wantAll ends the check unless All returns the wanted data, each item once.
func (t *checkT) wantAll(s scs.Store, want map[string]string) {
	t.Helper()
	all := t.all(s)
	seen := make(map[string]bool)
	for _, data := range all {
		if _, ok := want[string(data)]; !ok {
			t.Fatalf("all: got a session with data %s, which no live session has", brief(data))
		}
		if seen[string(data)] {
			t.Fatalf("all: got two sessions with data %s", brief(data))
		}
		seen[string(data)] = true
	}
	if len(seen) != len(want) {
		t.Fatalf("all: %d sessions, want %d", len(seen), len(want))
	}
}
