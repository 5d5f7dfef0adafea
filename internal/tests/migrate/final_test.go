package migrate_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// stopAndCheck ends the clients, and checks each session in the new backend alone.
func (c *crowd) stopAndCheck(d deployment) {
	c.t.Helper()
	c.end()
	old, fresh := d.Old.open(c.t), d.New.open(c.t)
	left, err := list(c.t.Context(), old)
	must(c.t, err)
	copies := 0
	for _, rec := range left {
		if copies++; rec.Version > 0 {
			c.report(nil, "the old backend has a session")
		}
	}
	begin := time.Now()
	records, err := list(c.t.Context(), fresh)
	must(c.t, err)
	end := time.Now()

	n := map[string]int{}
	strays := map[string]*account{} // by user
	for _, a := range slices.Concat(c.filled, c.made) {
		if a.maybeRenewed {
			strays[a.user] = a
		}
		if a.maybeRenewed || a.maybeEnded {
			n["with an unknown outcome"]++
		}
		id := scskit.HashToken(a.token)
		rec, found := records[id]
		delete(records, id)
		switch {
		case a.state == live && found:
			n["signed in"]++
			if !a.used && !a.renewed {
				n["of them unused"]++
			}
			if err := a.stored(fresh, rec); err != nil {
				c.report(a, "in the new backend: %v", err)
			}
			if begin.After(a.maxExpiry.Add(leeway)) {
				c.report(a, "in the new backend: it lives too long")
			}
		case found:
			c.report(a, "in the new backend: one who has signed out is back")
		case a.state == live && (!end.Before(a.minExpiry.Add(-leeway))):
			n["expired"]++
		case a.state == live && !a.maybeEnded && !a.maybeRenewed:
			c.report(a, "in the new backend: one is signed out")
		default:
			n["ended"]++
		}
	}
	for _, rec := range records { // of nobody so far
		a := (*account)(nil)
		if _, values, err := fresh.Codec().Decode(rec.Data); err == nil {
			a = strays[fmt.Sprint(values["user"])]
		}
		if a == nil {
			c.report(nil, "in the new backend: a session that nobody has")
			continue
		}
		n["with a token that no client got"]++
	}
	c.t.Logf("%d and %d accounts: %v; %d copies left in the old backend", len(c.filled), len(c.made),
		n, copies)
	c.checkThroughApps()
	for i := range c.apps {
		app := c.apps[i].Load()
		app.stop(c.t, false)
	}
	if c.wrong > maxWrong {
		c.t.Errorf("%d more errors", c.wrong-maxWrong)
	}
}

// stored checks the record of an account in the new backend.
func (a *account) stored(store *scskit.Store, rec driver.Record) error {
	deadline, values, err := store.Codec().Decode(rec.Data)
	if err != nil {
		return err
	}
	got := map[string]int{}
	for key, value := range values {
		if n, ok := value.(int); ok {
			got[key] = n
		}
	}
	switch {
	case values["user"] != a.user:
		return fmt.Errorf("it is a session of %v", values["user"])
	case a.maybeRenewed:
		return nil // perhaps in a session that no client knows
	case deadline.Sub(a.deadline).Abs() > leeway:
		return fmt.Errorf("the deadline has moved by %v", deadline.Sub(a.deadline))
	case rec.Expiry.Before(a.minExpiry.Add(-leeway)):
		return fmt.Errorf("it expires %v too early", a.minExpiry.Sub(rec.Expiry))
	case rec.Expiry.After(a.maxExpiry.Add(leeway)):
		return fmt.Errorf("it expires %v too late", rec.Expiry.Sub(a.maxExpiry))
	case a.created.ID != "" && rec.User != a.created.User:
		return fmt.Errorf("the hash of its user is %q, want %q", rec.User, a.created.User)
	}
	was := a.created
	if was.ID != "" && !a.renewed && !same(rec.Created, was.Created) {
		return fmt.Errorf("it was created at %v, want %v", rec.Created, was.Created)
	}
	if was.ID != "" && !a.renewed && !a.used {
		if !same(rec.Updated, was.Updated) || !same(rec.Seen, was.Seen) {
			return fmt.Errorf("it was saved at %v and seen at %v, want %v and %v", rec.Updated, rec.Seen,
				was.Updated, was.Seen)
		}
	}
	return a.holds(a.counts, got)
}

// same reports whether two times are equal, as the backends store them.
func same(a, b time.Time) bool { return a.Sub(b).Abs() < 2*time.Millisecond }

// checkThroughApps checks the sessions that were used, and the tokens that have ended.
func (c *crowd) checkThroughApps() {
	work := make(chan func(*client))
	var wg sync.WaitGroup
	for _, cl := range c.clients {
		wg.Go(func() {
			for f := range work {
				f(cl)
			}
		})
	}
	checked := 0
	for _, a := range slices.Concat(c.filled, c.made) {
		if a.used || a.renewed || checked < 200 {
			checked++
			work <- func(cl *client) { cl.use(a, opRead) }
		}
	}
	dead := c.dead
	for _, token := range dead {
		work <- func(cl *client) { cl.checkDead(token) }
	}
	close(work)
	wg.Wait()
	c.t.Logf("%d accounts and %d ended tokens checked through the applications", checked, len(dead))
}

// log logs what the clients have done.
func (c *crowd) log() {
	sent := map[string]int{}
	took := map[int32][]time.Duration{}
	total, unknown, resent := 0, 0, 0
	for _, cl := range c.clients {
		for op, n := range cl.sent {
			sent[op] += n
			total += n
		}
		for phase, list := range cl.took {
			took[phase] = append(took[phase], list...)
		}
		unknown += cl.unknown
		resent += cl.resent
	}
	var kinds []string
	for _, op := range []string{opRead, opPut, opAdd, opSignIn, opSignOut, opEndAll} {
		kinds = append(kinds, fmt.Sprintf("%d %s", sent[op], op))
	}
	c.t.Logf("%d requests: %s; %d outcomes unknown; %d sent again to another process", total,
		strings.Join(kinds, ", "), unknown, resent)
	for phase, name := range []string{"before the pair", "with the pair", "during the move", "after"} {
		list := took[int32(phase)]
		slices.Sort(list)
		if n := len(list); n > 0 {
			c.t.Logf("%s: %d requests, p50 %v, p99 %v, longest %v", name, n,
				list[n/2].Round(10*time.Microsecond), list[n*99/100].Round(10*time.Microsecond),
				list[n-1].Round(10*time.Microsecond))
		}
	}
}
