package stores_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/keyring"
	"github.com/scskit/scskit/stores"
)

// rollout is an application of two instances behind a load balancer, and its users. While users
// make requests, the instances are replaced one after the other.
type rollout struct {
	t         *testing.T
	instances [2]atomic.Pointer[instance]
	users     []*rolloutUser
	next      atomic.Int64 // chooses an instance
}

type rolloutUser struct {
	name   string
	client *http.Client
	added  int
}

// newRollout deploys both instances and signs the users in.
func newRollout(t *testing.T, users int, config instanceConfig) *rollout {
	t.Helper()
	r := &rollout{t: t}
	for i := range r.instances {
		r.instances[i].Store(deploy(t, config))
	}
	for i := range users {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		u := &rolloutUser{name: fmt.Sprint("user", i), client: &http.Client{Jar: jar}}
		r.users = append(r.users, u)
	}
	each(r.users, func(u *rolloutUser) { r.get(u, "/signin?user="+u.name) })
	return r
}

// busy returns the users who make requests during a deploy. The others come back after the last.
func (r *rollout) busy() []*rolloutUser { return r.users[:len(r.users)*2/3] }

// each runs f for every user, eight at a time.
func each(users []*rolloutUser, f func(u *rolloutUser)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for _, u := range users {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			f(u)
		})
	}
	wg.Wait()
}

// choose returns an instance that stays until its requests is unlocked.
func (r *rollout) choose() *instance {
	for {
		i := r.instances[r.next.Add(1)%2].Load()
		i.requests.RLock()
		if !i.drained {
			return i
		}
		i.requests.RUnlock()
	}
}

// get sends a request of the user to one of the instances, and returns the body. The cookie jar
// does not distinguish ports, so the instances share cookies.
func (r *rollout) get(u *rolloutUser, path string) string {
	r.t.Helper()
	i := r.choose()
	defer i.requests.RUnlock()
	resp, err := u.client.Get(i.url + path)
	if err != nil {
		r.t.Errorf("%s: %v", u.name, err)
		return ""
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		r.t.Errorf("%s: %s: status %d, %q, %v", u.name, path, resp.StatusCode, b, err)
	}
	return string(b)
}

// replace deploys the configuration while users make requests.
func (r *rollout) replace(config instanceConfig) {
	r.t.Helper()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			each(r.busy(), r.add)
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	for i := range r.instances {
		old := r.instances[i].Swap(deploy(r.t, config))
		old.requests.Lock() // wait for its requests
		old.drained = true
		old.requests.Unlock()
		old.stop()
	}
	close(stop)
	<-stopped
	each(r.busy(), r.add)
}

// add makes one request that changes the user's session, from one browser.
func (r *rollout) add(u *rolloutUser) {
	u.added++
	if got := r.get(u, fmt.Sprint("/add?n=", u.added)); got != u.name {
		r.t.Errorf("%s is signed in as %q", u.name, got)
	}
}

// wantAll checks that no change of any user was lost.
func (r *rollout) wantAll(baskets bool) {
	r.t.Helper()
	each(r.users, func(u *rolloutUser) {
		var name string
		var n, items int
		_, _ = fmt.Sscan(r.get(u, "/count"), &name, &n, &items)
		if name != u.name || n != u.added {
			r.t.Errorf("%s: the session has user %q and %d of %d changes", u.name, name, n, u.added)
		}
		if baskets && u.added > 0 && items == 0 {
			r.t.Errorf("%s: the basket is empty", u.name)
		}
	})
}

func rolloutURL(t *testing.T, scheme string) string {
	t.Helper()
	where := urls[scheme](t)
	if scheme == "sqlite" {
		where = "sqlite:" + filepath.Join(t.TempDir(), "rollout.db")
	}
	store, closeStore, err := stores.Open(t.Context(), where, &scskit.Options{UserKey: "user"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.CreateSchema(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := closeStore(); err != nil {
		t.Fatal(err)
	}
	return where
}

// rolloutUsers is the number of users on each backend.
func rolloutUsers(scheme string) int {
	if scheme == "redis" {
		return 200
	}
	return 30
}

// TestKeyRotation replaces a key in three deploys, under load.
func TestKeyRotation(t *testing.T) {
	for scheme := range urls {
		t.Run(scheme, func(t *testing.T) {
			where := rolloutURL(t, scheme)
			config := func(keys ...string) instanceConfig {
				return instanceConfig{URL: where, Keys: keys}
			}
			before, after := keyring.New(), keyring.New()
			r := newRollout(t, rolloutUsers(scheme), config(before))
			r.replace(config(before, after)) // known everywhere
			r.replace(config(after, before)) // first
			var resealed scskit.Resealed
			text := r.get(r.users[0], "/reseal")
			if err := json.NewDecoder(strings.NewReader(text)).Decode(&resealed); err != nil {
				t.Fatalf("reseal: %q: %v", text, err)
			}
			idle := len(r.users) - len(r.busy())
			if resealed.Records < len(r.users) || resealed.Resealed < idle || resealed.Unreadable > 0 {
				t.Errorf("reseal: %+v", resealed)
			}
			r.replace(config(after)) // the old one dropped
			r.wantAll(false)
			t.Logf("%d users, %d changes each or more, resealed %+v", len(r.users), r.users[0].added,
				resealed)
		})
	}
}

// TestBeginToSeal seals the sessions of an application that has not sealed them, and goes back.
func TestBeginToSeal(t *testing.T) {
	where := rolloutURL(t, "redis")
	key := []string{keyring.New()}
	none := instanceConfig{URL: where}
	write := instanceConfig{URL: where, Keys: key, Plaintext: scskit.WritePlaintext}
	read := instanceConfig{URL: where, Keys: key, Plaintext: scskit.ReadPlaintext}
	r := newRollout(t, 50, none)
	for i, step := range []instanceConfig{write, read, {URL: where, Keys: key}, read, write, none} {
		r.replace(step)
		if i == 1 || i == 4 {
			r.get(r.users[0], "/reseal")
		}
	}
	r.wantAll(false)
}

// TestRollingDeployOfType deploys a version with a new type, goes back, and does both again.
func TestRollingDeployOfType(t *testing.T) {
	for scheme := range urls {
		t.Run(scheme, func(t *testing.T) {
			where := rolloutURL(t, scheme)
			before, after := instanceConfig{URL: where}, instanceConfig{URL: where, NewType: true}
			r := newRollout(t, rolloutUsers(scheme)/3, before)
			for range 2 {
				r.replace(after)
				r.replace(before)
			}
			r.replace(after)
			r.wantAll(true)
		})
	}
}
