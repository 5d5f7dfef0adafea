package conformance

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/scskit/scskit/driver"
)

// driverUserChecks cover driver.UserIndex.
var driverUserChecks = []check{
	{"driver/user-range", LevelDriver, userRange,
		"UserIndex: yields every live record of the user, whole, and no others"},
	{"driver/user-moves", LevelDriver, userMoves,
		"Record.User: a save sets it, also to the empty string; a touch keeps it"},
	{"driver/user-many", LevelDriver, userMany,
		"UserIndex: yields more records than one page of the backend holds"},
	{"driver/user-context", LevelDriver, userContext,
		"UserIndex: if the context has ended, the sequence ends with its error"},
}

func (t *checkT) userIndex() (driver.Driver, driver.UserIndex) {
	t.Helper()
	d := t.newDriver()
	i, ok := driver.As[driver.UserIndex](d)
	if !ok {
		t.notApplicable("the driver does not implement driver.UserIndex")
	}
	return d, i
}

// ownedRecord returns a live record of the user.
func ownedRecord(user string) driver.Record {
	rec := record(newID(), "data")
	rec.User = user
	return rec
}

// wantUser ends the check unless the index yields the wanted records soon, and never any other.
func (t *checkT) wantUser(i driver.UserIndex, user string, want ...driver.Record) {
	t.Helper()
	t.soon(fmt.Sprintf("the user has %d records", len(want)), func() bool {
		rest := make(map[string]driver.Record, len(want))
		for _, rec := range want {
			rest[rec.ID] = rec
		}
		known := maps.Clone(rest)
		for rec, err := range i.RangeUser(t.Context(), user) {
			if err != nil {
				t.Fatalf("range user: %v", err)
			}
			w, ok := known[rec.ID]
			if !ok {
				t.Fatal("range user: got a record of another user, or an old one")
			}
			if rec.User != user || !bytes.Equal(rec.Data, w.Data) {
				t.Fatalf("range user: got user %q with data %s, want %q with %s", rec.User, brief(rec.Data),
					user, brief(w.Data))
			}
			delete(rest, rec.ID)
		}
		return len(rest) == 0
	})
}

func userRange(t *checkT) {
	d, i := t.userIndex()
	alice, bob := idOf("alice"), strings.Repeat("\xff\x00'*", 16)
	var alices, bobs []driver.Record
	for range 5 {
		alices, bobs = append(alices, ownedRecord(alice)), append(bobs, ownedRecord(bob))
	}
	deleted, expired := ownedRecord(alice), ownedRecord(alice)
	t.save(d, deleted, driver.Always())
	if err := d.Delete(t.Context(), deleted.ID, driver.Always()); err != nil {
		t.Fatalf("delete: %v", err)
	}
	// Written one after the other, its user and id are those of one of alice's records.
	similar := ownedRecord(alice + alices[0].ID[:3])
	similar.ID = alices[0].ID[3:]
	for _, rec := range slices.Concat(alices, bobs, []driver.Record{similar, ownedRecord(""),
		ownedRecord(alice[1:]), ownedRecord(strings.ToLower(alice))}) {
		t.save(d, rec, driver.IfAbsent())
	}
	expired.Expiry = in(time.Second).Truncate(time.Second)
	t.save(d, expired, driver.Always())
	t.pause(time.Until(expired.Expiry.Add(patience)))
	t.wantUser(i, alice, alices...)
	t.wantUser(i, bob, bobs...)
	t.wantUser(i, similar.User, similar)
	t.wantUser(i, idOf("carol"))
	t.wantAsLoaded(d, i, alice)
}

// wantAsLoaded ends the check unless the index yields records as Load returns them.
func (t *checkT) wantAsLoaded(d driver.Driver, i driver.UserIndex, user string) {
	t.Helper()
	for rec, err := range i.RangeUser(t.Context(), user) {
		if err != nil {
			t.Fatalf("range user: %v", err)
		}
		loaded, err := d.Load(t.Context(), rec.ID)
		if err != nil {
			t.Fatalf("load: %v", err)
		}
		if diff := difference(rec, loaded); diff != "" {
			t.Fatalf("range user, and then load: %s", diff)
		}
	}
}

func userMoves(t *checkT) {
	d, i := t.userIndex()
	alice, bob := idOf("alice"), idOf("bob")
	for _, cond := range []driver.Condition{driver.Always(), driver.IfVersion(1)} {
		rec := ownedRecord("")
		t.save(d, rec, driver.Always())
		t.wantUser(i, alice)
		rec.User = alice
		t.save(d, rec, cond)
		rec.Expiry = rec.Expiry.Add(time.Minute)
		if err := d.Touch(t.Context(), rec); err != nil {
			t.Fatalf("touch: %v", err)
		}
		t.wantUser(i, alice, rec)
		rec.User = bob
		t.save(d, rec, cond)
		t.wantUser(i, bob, rec)
		t.wantUser(i, alice)
		rec.User = ""
		t.save(d, rec, cond)
		t.wantUser(i, bob)
	}
}

func userMany(t *checkT) {
	const n = 230
	d, i := t.userIndex()
	alice := idOf("alice")
	all := make([]driver.Record, n)
	t.each(8, func(w int) {
		for k := w; k < n; k += 8 {
			all[k] = ownedRecord(alice)
			t.save(d, all[k], driver.Always())
		}
	})
	t.wantUser(i, alice, all...)
}

func userContext(t *checkT) {
	d, i := t.userIndex()
	alice := idOf("alice")
	t.save(d, ownedRecord(alice), driver.Always())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n := 0
	for rec, err := range i.RangeUser(ctx, alice) {
		n++
		t.wantErr("range user", err, context.Canceled)
		if rec.ID != "" || rec.Data != nil {
			t.Error("range user: got a record together with an error")
		}
	}
	if n != 1 {
		t.Errorf("range user: yielded %d times, want 1, an error", n)
	}
}
