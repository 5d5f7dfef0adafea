package conformance

import (
	"fmt"
	"strings"

	"github.com/scskit/scskit"
)

// portableMergeChecks cover the merge of concurrent changes: no update may be lost.
var portableMergeChecks = []check{
	{"concurrency/different-keys", LevelPortable, mergeDifferentKeys,
		"no lost updates: fifty requests that each put a different key keep " +
			"all fifty (stock scs keeps one)"},
	{"concurrency/same-key", LevelPortable, mergeSameKey,
		"after requests that put the same key, it holds the whole value of one of them"},
	{"concurrency/removed-by-us", LevelPortable, mergeRemovedByUs,
		"a key that this request has removed stays removed, whatever another request changes"},
	{"concurrency/removed-by-other", LevelPortable, mergeRemovedByOther,
		"a key that another request has removed, and this one has not changed, stays removed"},
	{"concurrency/changed-and-removed", LevelPortable, mergeChangedAndRemoved,
		"a key that this request has changed is kept, though another request has removed it"},
	{"concurrency/overwritten", LevelPortable, mergeOverwritten,
		"scskit.Overwrite: the key keeps the value of this request, though it equals the loaded one " +
			"and another request has changed it"},
	{"concurrency/commit-twice", LevelPortable, mergeCommitTwice,
		"a request may commit more than once, and each commit merges"},
	{"concurrency/reader-keeps-writes", LevelPortable, mergeReaderKeepsWrites,
		"a request that only reads, under an idle timeout, undoes no write of another"},
	{"concurrency/unchanged-writes-nothing", LevelPortable, mergeUnchangedWritesNothing,
		"a request that changes nothing causes no write"},
	{"concurrency/untracked-overwrites", LevelPortable, mergeUntrackedOverwrites,
		"scs.Store: a commit without a tracker overwrites"},
	{"concurrency/loaded-again", LevelPortable, mergeLoadedAgain,
		"no lost updates: a loop that loads a session repeatedly in one tracked context merges " +
			"with what the last load returned"},
	{"concurrency/loaded-twice", LevelPortable, mergeLoadedTwice,
		"no lost updates: after two loads in one tracked context, each commit merges " +
			"with what its own load returned"},
}

func mergeDifferentKeys(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "seed", "sown")
	crowd := t.crowd(50, 4)
	requests := make([]*request, crowd)
	for i := range requests {
		requests[i] = t.request(sm, token)
		sm.Put(requests[i].ctx, fmt.Sprintf("key %d", i), i)
	}
	t.each(crowd, func(i int) {
		if _, state := requests[i].end(); state != scskit.CommitStored {
			t.Errorf("commit: state %d, want Stored", state)
		}
	})
	v := t.values(s, token)
	if len(v) != crowd+1 || v["seed"] != "sown" {
		t.Errorf("%d keys after %d requests that put one each, want those and the seed", len(v), crowd)
	}
	for i := range crowd {
		if v[fmt.Sprintf("key %d", i)] != i {
			t.Errorf("key %d is lost", i)
		}
	}
}

func mergeSameKey(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "seed", "sown")
	crowd := t.crowd(50, 4)
	requests := make([]*request, crowd)
	value := func(i int) string { return strings.Repeat(fmt.Sprintf("%02d", i), 500) }
	for i := range requests {
		requests[i] = t.request(sm, token)
		sm.Put(requests[i].ctx, "k", value(i))
	}
	t.each(crowd, func(i int) { requests[i].end() })
	v := t.values(s, token)
	got, _ := v["k"].(string)
	var i int
	if _, err := fmt.Sscanf(got, "%02d", &i); err != nil || got != value(i) {
		t.Errorf("the key holds a value that no request has put: %s", brief([]byte(got)))
	}
	if len(v) != 2 || v["seed"] != "sown" {
		t.Error("another key was lost")
	}
}

// commitBoth lets two requests load a session with the keys a, b and c. Then the first commits, and
// after it the second. It returns the stored values.
func (t *checkT) commitBoth(first, second func(r *request)) map[string]any {
	t.Helper()
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "a", 1, "b", 2, "c", 3)
	one, two := t.request(sm, token), t.request(sm, token)
	first(one)
	one.end()
	second(two)
	two.end()
	return t.values(s, token)
}

func mergeRemovedByUs(t *checkT) {
	t.wantValues(t.commitBoth(
		func(r *request) { r.sm.Put(r.ctx, "b", 20) },
		func(r *request) { r.sm.Remove(r.ctx, "a") },
	), "map[b:20 c:3]")
	t.wantValues(t.commitBoth(
		func(r *request) { r.sm.Put(r.ctx, "a", 10) },
		func(r *request) { r.sm.Remove(r.ctx, "a") },
	), "map[b:2 c:3]")
}

func mergeRemovedByOther(t *checkT) {
	t.wantValues(t.commitBoth(
		func(r *request) { r.sm.Remove(r.ctx, "a") },
		func(r *request) { r.sm.Put(r.ctx, "b", 20) },
	), "map[b:20 c:3]")
}

func mergeChangedAndRemoved(t *checkT) {
	t.wantValues(t.commitBoth(
		func(r *request) { r.sm.Remove(r.ctx, "a") },
		func(r *request) { r.sm.Put(r.ctx, "a", 10) },
	), "map[a:10 b:2 c:3]")
}

func mergeOverwritten(t *checkT) {
	t.wantValues(t.commitBoth(
		func(r *request) {
			r.sm.Put(r.ctx, "a", 10)
			r.sm.Remove(r.ctx, "b")
			r.sm.Put(r.ctx, "c", 30)
			r.sm.Put(r.ctx, "d", 40)
		},
		func(r *request) {
			r.sm.Put(r.ctx, "a", 1)
			r.sm.Put(r.ctx, "b", 2)
			r.sm.Remove(r.ctx, "d")
			scskit.Overwrite(r.ctx, "a", "b", "d")
		},
	), "map[a:1 b:2 c:30]")
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "a", 1)
	renewing, other := t.request(sm, token), t.request(sm, token)
	sm.Put(other.ctx, "a", 10)
	sm.Put(other.ctx, "b", 20)
	other.end()
	if err := sm.RenewToken(renewing.ctx); err != nil {
		t.Fatalf("RenewToken: %v", err)
	}
	sm.Put(renewing.ctx, "a", 1)
	scskit.Overwrite(renewing.ctx, "a")
	renewed, _ := renewing.end()
	t.wantValues(t.values(s, renewed), "map[a:1 b:20]")
}

func mergeCommitTwice(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 0)
	r := t.request(sm, token)
	for i := 1; i <= 3; i++ {
		other := t.request(sm, token)
		sm.Put(other.ctx, fmt.Sprintf("other %d", i), i)
		other.end()
		sm.Put(r.ctx, fmt.Sprintf("own %d", i), i)
		r.end()
	}
	sm.Remove(r.ctx, "own 1")
	r.end()
	t.wantValues(t.values(s, token), "map[k:0 other 1:1 other 2:2 other 3:3 own 2:2 own 3:3]")
}

func mergeReaderKeepsWrites(t *checkT) {
	s, sm := t.idleManager()
	token := t.begin(sm, "k", 1)
	reader, writer := t.request(sm, token), t.request(sm, token)
	sm.Put(writer.ctx, "k", 2)
	writer.end()
	reader.age()
	reader.end()
	t.wantValues(t.values(s, token), "map[k:2]")
}

func mergeUnchangedWritesNothing(t *checkT) {
	s, d := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "k", 1, "other", "value", "third", []string{"a", "b"})
	before := d.count("save", "touch", "delete")
	for range 10 {
		r := t.request(sm, token)
		sm.Put(r.ctx, "k", sm.GetInt(r.ctx, "k")) // marks the session as modified
		if _, state := r.end(); state != scskit.CommitKept {
			t.Errorf("commit without a change: state %d, want Kept", state)
		}
	}
	if n := d.count("save", "touch", "delete") - before; n != 0 {
		t.Errorf("requests without a change: %d writes, want none", n)
	}
}

func mergeUntrackedOverwrites(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "a", 1, "b", 2)
	t.commit(s, token, t.encode(map[string]any{"c": 3}), in(lifetime))
	t.wantValues(t.values(s, token), "map[c:3]")
}

func mergeLoadedAgain(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "a", 0, "b", 0)
	loop := scskit.WithTracker(t.Context())
	for i := 1; i <= 12; i++ {
		other := t.request(sm, token)
		sm.Put(other.ctx, "b", i)
		other.end()
		r := t.requestIn(loop, sm, token)
		between := t.request(sm, token) // saves between the loop's load and its commit
		sm.Put(between.ctx, "b", 100+i)
		between.end()
		sm.Put(r.ctx, "a", i)
		r.end()
		t.wantValues(t.values(s, token), fmt.Sprintf("map[a:%d b:%d]", i, 100+i))
	}
	for range 3 { // so that the loop always commits the same values
		other := t.request(sm, token)
		sm.Put(other.ctx, "c", 0)
		other.end()
		r := t.requestIn(loop, sm, token)
		sm.Remove(r.ctx, "c")
		r.end()
		t.wantValues(t.values(s, token), "map[a:12 b:112]")
	}
}

func mergeLoadedTwice(t *checkT) {
	for round := range 4 {
		first, others := round%2, round/2 == 0
		s, _ := t.newPortable(nil)
		sm := manager(s)
		token := t.begin(sm, "a", 0, "b", 0, "c", 0)
		both := scskit.WithTracker(t.Context())
		var loads [2]*request
		for i := range loads {
			loads[i] = t.requestIn(both, sm, token)
			if others {
				other := t.request(sm, token)
				sm.Put(other.ctx, "c", i+1)
				other.end()
			}
		}
		sm.Put(loads[0].ctx, "a", 1)
		sm.Put(loads[1].ctx, "b", 1)
		for _, i := range []int{first, 1 - first} {
			loads[i].end()
		}
		want := "map[a:1 b:1 c:0]"
		if others {
			want = "map[a:1 b:1 c:2]"
		}
		t.wantValues(t.values(s, token), want)
	}
}
