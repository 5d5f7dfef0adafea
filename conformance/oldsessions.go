package conformance

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
)

// oldCookie is the cookie of the sessions of another package.
const oldCookie = "oldsession"

var errOldStore = errors.New("the old store is down")

// oldSessions are the sessions of another package, and their reader.
type oldSessions struct {
	mu       sync.Mutex
	values   map[string]map[string]any // by the value of the cookie
	deadline time.Time
	stuck    bool         // records cannot be removed
	fault    func() error // called by ReadSession
	reads    int
}

// add makes a session of ada, and returns the value of its cookie.
func (o *oldSessions) add() (id string) {
	id = newToken()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.values[id] = map[string]any{"user": "ada"}
	return id
}

func (o *oldSessions) has(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.values[id] != nil
}

// change calls f while no request reads.
func (o *oldSessions) change(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

// CookieNames implements adapters.LegacyReader.
func (*oldSessions) CookieNames() []string { return []string{oldCookie} }

// SessionID implements adapters.LegacyReader.
func (*oldSessions) SessionID(cookies []*http.Cookie) string { return cookies[0].Value }

// ReadSession implements adapters.LegacyReader.
func (o *oldSessions) ReadSession(
	_ context.Context, id string, _ []*http.Cookie,
) (*adapters.LegacySession, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.reads++
	if o.fault != nil {
		if err := o.fault(); err != nil {
			return nil, err
		}
	}
	values := o.values[id]
	if values == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	return &adapters.LegacySession{
		Values: maps.Clone(values), Deadline: o.deadline,
		Expire: []*http.Cookie{{Name: oldCookie}},
		Forget: func(context.Context) error {
			o.mu.Lock()
			defer o.mu.Unlock()
			if o.stuck {
				return errOldStore
			}
			delete(o.values, id)
			return nil
		},
	}, nil
}

// newMovingSite returns an application that adopts sessions. The caller opens it.
func (t *checkT) newMovingSite(o adapters.AdoptOptions, more ...adapters.Option) (
	*site, *oldSessions,
) {
	t.Helper()
	s := t.newSite()
	if _, ok := s.store.(*scskit.Store); !ok {
		t.notApplicable("the store is not a *scskit.Store, which Adopt needs")
	}
	if s.inCookie() {
		t.notApplicable("Adopt is refused for a store that keeps sessions in cookies")
	}
	old := &oldSessions{values: make(map[string]map[string]any)}
	s.others = []string{oldCookie}
	s.option(adapters.Adopt(old, o))
	for _, option := range more {
		s.option(option)
	}
	return s, old
}

// moving returns a browser with the cookie of a session of the other package.
func (s *site) moving(id string) *browser {
	b := s.browser()
	b.cookies[oldCookie] = id
	return b
}

// old returns the value of the other package's cookie, or "".
func (b *browser) old() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cookies[oldCookie]
}

// wantSame ends the check unless a response leaves all cookies as they are.
func (a *answer) wantSame(t *checkT) {
	t.Helper()
	if lines := a.header.Values("Set-Cookie"); len(lines) > 0 {
		t.Fatalf("the response sets %d cookies, want none (status %d)", len(lines), a.status)
	}
}

// wantAdopted checks that the browser goes on with a session of ours, and that nothing of the old
// one is left.
func (b *browser) wantAdopted(old *oldSessions, id string) {
	t := b.s.t
	t.Helper()
	switch {
	case b.token() == "":
		t.Fatal("the browser has no session")
	case b.token() == id:
		t.Error("the new session has the id of the old one as its token")
	}
	if b.old() != "" {
		t.Error("the browser still has the old cookie")
	}
	if old.has(id) {
		t.Error("the old record is not removed")
	}
	b.wantValue("user", "ada")
}
