package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"

	"github.com/scskit/scskit"
)

// togetherChecks hold a *scskit.Store to what many requests, or many loads of one, make of a
// session.
var togetherChecks = []check{
	{"concurrency/loaded-again",
		"no lost updates: a loop that loads a session again and again in one " +
			"tracked context merges with what its last load returned", LevelPortable, togetherLoadedAgain},
	{"concurrency/loaded-twice", "no lost updates: of two loads in one tracked context each commit " +
		"merges with what its own returned", LevelPortable, togetherLoadedTwice},
	{"concurrency/no-stranger-waits", "writers who meet in one session hold up nobody else's",
		LevelPortable,
		togetherNoStrangerWaits},
	{"expiry/idle-shortened", "a shorter idle time-out reaches sessions that are only read, at their " +
		"next request", LevelPortable, togetherIdleShortened},
	{"faults/failed-touch", "a backend that takes no writes fails no request that only reads: the " +
		"session lasts as long as is stored", LevelPortable, togetherFailedTouch},
	{"faults/stock-middleware",
		"scs's own LoadAndSave overwrites what others save: the Observer is told each " +
			"time", LevelPortable, togetherStockMiddleware},
	{"faults/client-gone", "a client that hangs up does not take its sign-out " +
		"back", LevelPortable, togetherHangUp},
	{"user/destroy-renewing", "Store.DestroySessionsOf: nothing of the user survives that was signed " +
		"in before, though it is being renewed", LevelPortable, togetherDestroyRenewing},
	{"user/destroy-merging", "Store.DestroySessionsOf: nothing of the user survives in a session " +
		"that another is being merged into", LevelPortable, togetherDestroyMerging},
	{"user/destroy-all-but-own",
		"Store.DestroySessionsOf: a request that has renewed its session keeps " +
			"it, and what it has merged into it", LevelPortable, togetherDestroyAllButOwn},
}

func togetherLoadedAgain(t *T) {
	s, _ := t.newKit(nil)
	sm := manager(s)
	token := t.begin(sm, "a", 0, "b", 0)
	loop := scskit.WithTracker(t.Context())
	for i := 1; i <= 12; i++ {
		other := t.request(sm, token)
		sm.Put(other.ctx, "b", i)
		other.end()
		r := t.requestIn(loop, sm, token)
		late := t.request(sm, token) // saves between the loop's load and its commit
		sm.Put(late.ctx, "b", 100+i)
		late.end()
		sm.Put(r.ctx, "a", i)
		r.end()
		t.wantValues(t.values(s, token), fmt.Sprintf("map[a:%d b:%d]", i, 100+i))
	}
	for range 3 { // so that what the loop commits is always the same
		other := t.request(sm, token)
		sm.Put(other.ctx, "c", 0)
		other.end()
		r := t.requestIn(loop, sm, token)
		sm.Remove(r.ctx, "c")
		r.end()
		t.wantValues(t.values(s, token), "map[a:12 b:112]")
	}
}

func togetherLoadedTwice(t *T) {
	for round := range 4 {
		first, others := round%2, round/2 == 0
		s, _ := t.newKit(nil)
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

func togetherNoStrangerWaits(t *T) {
	s, d := t.newKit(nil)
	sm := manager(s)
	crowded := t.begin(sm, "k", 0)
	one, two := t.request(sm, crowded), t.request(sm, crowded)
	sm.Put(one.ctx, "one", 1)
	one.end()
	strangers := make([]*request, 200) // some of which share whatever there is to be shared
	for i := range strangers {
		token := t.begin(sm, "k", 0)
		strangers[i] = t.request(sm, token)
		other := t.request(sm, token)
		sm.Put(other.ctx, "other", 1)
		other.end()
	}
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	d.on(func(ctx context.Context, op, id string) error {
		if op == "load" && id == d.id(crowded) {
			once.Do(func() { close(held) })
			select {
			case <-release:
			case <-ctx.Done():
			}
		}
		return nil
	})
	merged := t.start(func() {
		sm.Put(two.ctx, "two", 2)
		two.end() // which merges, and is held
	})
	select {
	case <-held:
	case <-merged:
		t.Fatal("the commit did not look for what it has to merge")
	}
	ended := t.start(func() {
		for _, r := range strangers {
			sm.Put(r.ctx, "k", 1)
			r.end()
		}
	})
	timeout := time.NewTimer(t.reach())
	defer timeout.Stop()
	select {
	case <-ended:
	case <-timeout.C:
		t.Error("a merge of one session waits for that of another")
	}
	close(release)
	<-merged
	<-ended
}

func togetherIdleShortened(t *T) {
	s, d := t.newKit(nil)
	sm := manager(s)
	sm.Lifetime, sm.IdleTimeout = 90*24*time.Hour, 30*24*time.Hour
	token := t.begin(sm, "k", 1)
	sm.IdleTimeout = 20 * time.Minute
	began := time.Now()
	t.request(sm, token).end()
	expiry := t.stored(d, token).Expiry
	if least, most := began.Add(20*time.Minute),
		time.Now().Add(22*time.Minute); expiry.Before(least) || expiry.After(most) {
		t.Errorf("the record expires in %v, with an idle time-out of 20 minutes", time.Until(expiry))
	}
	writes := d.count("save", "touch")
	t.request(sm, token).end()
	if n := d.count("save", "touch") - writes; n != 0 {
		t.Errorf("the next request writes again, %d times", n)
	}
}

func togetherFailedTouch(t *T) {
	var log eventLog
	s, d := t.newKit(&scskit.Options{Observer: log.observe})
	sm := manager(s)
	sm.IdleTimeout = 20 * time.Minute
	token := t.begin(sm, "k", 1)
	slid := *sm
	slid.IdleTimeout = 40 * time.Minute // as if time had passed
	errFull := errors.New("no memory left")
	d.refuse(errFull, "touch", "save")
	r := t.request(&slid, token)
	if _, state := r.end(); state != scskit.CommitKept {
		t.Errorf("the commit of a session that was only read: state %d, want Kept", state)
	}
	if events := log.of(scskit.KindTouch); len(events) != 1 || !errors.Is(events[0].Err, errFull) {
		t.Errorf("events %v, want one of a failed touch", events)
	}
	r = t.request(&slid, token)
	sm.Put(r.ctx, "k", 2)
	if _, _, err := slid.Commit(r.ctx); !errors.Is(err, errFull) {
		t.Errorf("a commit that changes something: got error %v, want the backend's", err)
	}
	d.on(nil)
	t.wantValues(t.values(s, token), "map[k:1]")
}

func togetherDestroyRenewing(t *T) {
	n := t.crowd(50, 10)
	s := t.userKit()
	if _, ok := s.(*scskit.Store); ok {
		t.sessionsOf(s, "alice") // if it can
	}
	sm := manager(s)
	requests := make([]*request, n)
	for i := range requests {
		requests[i] = t.request(sm, t.begin(sm, "user", "alice"))
	}
	t.soon("the user has all sessions", func() bool { return len(t.sessionsOf(s, "alice")) == n })
	for _, r := range requests[:n/2] {
		r.renew()
	}
	tokens := make([]string, n)
	destroyed := t.start(func() {
		if _, err := s.DestroySessionsOf(t.Context(), "alice"); err != nil {
			t.Fatalf("destroy sessions of a user: %v", err)
		}
	})
	t.each(n, func(i int) {
		if i >= n/2 {
			requests[i].renew()
		}
		tokens[i], _ = requests[i].end()
	})
	<-destroyed
	for _, token := range tokens {
		if _, found := t.find(s, token); found {
			t.Fatal("a session that was renewed meanwhile lives on")
		}
	}
}

func togetherDestroyMerging(t *T) {
	n := t.crowd(20, 8)
	s := t.userKit()
	t.sessionsOf(s, "alice") // if it can
	sm := manager(s)
	one := t.begin(sm, "user", "alice")
	t.soon("the user has a session", func() bool { return len(t.sessionsOf(s, "alice")) == 1 })
	target := t.request(sm, t.begin(sm, "k", 1))
	target.merge(one)
	if _, err := s.DestroySessionsOf(t.Context(), "alice"); err != nil {
		t.Fatalf("destroy sessions of a user: %v", err)
	}
	token, _ := target.end()
	t.wantValues(t.values(s, token), "map[k:1]")

	requests, signedIn := make([]*request, n), make([]string, n)
	for i := range requests {
		requests[i], signedIn[i] = t.request(sm, t.begin(sm, "k", 1)), t.begin(sm, "user", "alice")
	}
	t.soon("the user has all sessions", func() bool { return len(t.sessionsOf(s, "alice")) == n })
	for i, r := range requests[:n/2] {
		r.merge(signedIn[i])
	}
	destroyed := t.start(func() {
		if _, err := s.DestroySessionsOf(t.Context(), "alice"); err != nil {
			t.Fatalf("destroy sessions of a user: %v", err)
		}
	})
	t.each(n, func(i int) {
		if i >= n/2 {
			requests[i].merge(signedIn[i])
		}
		requests[i].end()
	})
	<-destroyed
	for i, r := range requests {
		t.wantNone(s, signedIn[i])
		token := sm.Token(r.ctx)
		if _, found := t.find(s, token); found && t.values(s, token)["user"] != nil {
			t.Fatal("a session that was merged meanwhile lives on in another")
		}
	}
}

func togetherDestroyAllButOwn(t *T) {
	s := t.userKit()
	t.sessionsOf(s, "alice") // if it can
	sm := manager(s)
	own, other := t.begin(sm, "user", "alice"), t.begin(sm, "user", "alice")
	merged := t.begin(sm, "user", "alice", "cart", 1)
	t.soon("the user has all sessions", func() bool { return len(t.sessionsOf(s, "alice")) == 3 })
	r := t.request(sm, own)
	r.renew()
	r.merge(merged)
	n, err := s.DestroySessionsOf(r.ctx, "alice", sm.Token(r.ctx))
	if err != nil || n != 1 {
		t.Errorf("destroyed %d, error %v; want the other session", n, err)
	}
	renewed, state := r.end()
	if state != scskit.CommitStored {
		t.Errorf("the request's own renewal: state %d, want Stored", state)
	}
	t.wantNone(s, other)
	t.wantNone(s, own)
	t.wantNone(s, merged)
	t.wantValues(t.values(s, renewed), "map[cart:1 user:alice]")
	t.soon("the user has one session", func() bool {
		ids := slices.Collect(maps.Keys(t.sessionsOf(s, "alice")))
		return len(ids) == 1 && ids[0] == scskit.HashToken(renewed)
	})
}

func togetherHangUp(t *T) {
	s, d := t.newKit(nil)
	sm := manager(s)
	token := t.begin(sm, "user", "ada")
	ctx, hangUp := context.WithCancel(scskit.WithTracker(t.Context()))
	ctx, err := sm.Load(ctx, token)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	d.on(func(ctx context.Context, op, _ string) error {
		if op == "delete" {
			hangUp()
		}
		return ctx.Err()
	})
	if err := sm.Destroy(ctx); err != nil {
		t.Errorf("destroy: %v", err)
	}
	d.on(nil)
	t.wantNone(s, token)
}

func togetherStockMiddleware(t *T) {
	var log eventLog
	s, _ := t.newKit(&scskit.Options{Observer: log.observe})
	sm := manager(s)
	sm.Cookie.Name = "session"
	app := sm.LoadAndSave(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "k", 1)
	}))
	for range 2 {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
		if w.Code != http.StatusOK {
			t.Fatalf("status %d", w.Code)
		}
	}
	if n := len(log.of(scskit.KindUntracked)); n != 2 {
		t.Errorf("%d events for two requests, want 2", n)
	}
	t.begin(sm, "k", 1) // in a context with a tracker
	if n := len(log.of(scskit.KindUntracked)); n != 2 {
		t.Errorf("%d events after a tracked commit, want 2", n)
	}
}
