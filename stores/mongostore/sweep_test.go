package mongostore

import (
	"fmt"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

func TestSweepLeavesWhatWasRenewed(t *testing.T) {
	t.Parallel()
	c := newClock()
	coll := newCollection(t, connect(t, nil))
	d, late := newTestDriver(t, coll, c), newClock()
	for i := range 20 {
		save(t, d, record(c, fmt.Sprint(i), 1, time.Minute))
	}
	late.at.Store(c.now().Add(time.Minute).UnixMilli())
	sweeping := newTestDriver(t, coll, late)
	ids, err := sweeping.expiredIDs(background, sweeping.clock(), 100)
	if err != nil || len(ids) != 20 {
		t.Fatalf("%d ids, %v", len(ids), err)
	}
	want(t, "touch", d.Touch(background, "3", 1, c.now().Add(time.Hour)), nil)
	if n, err := sweeping.remove(background, sweeping.clock(), ids); err != nil || n != 19 {
		t.Errorf("removed %d, %v, want 19", n, err)
	}
	_, err = d.Load(background, "3")
	want(t, "load", err, nil)
}

// TestSweepByBothClocks: a program with a clock that is ahead removes no session that lives by the
// server's clock, and one with a clock that is behind removes none that lives by its own.
func TestSweepByBothClocks(t *testing.T) {
	t.Parallel()
	coll := newCollection(t, connect(t, nil))
	at := func(skew time.Duration) *collection {
		c := newClock()
		c.at.Store(time.Now().Add(skew).UnixMilli())
		return newTestDriver(t, coll, c)
	}
	exact, behind, ahead := at(0), at(-time.Hour), at(time.Hour)
	for _, left := range []time.Duration{-2 * time.Hour, -30 * time.Minute, 30 * time.Minute,
		2 * time.Hour} {
		save(t, exact, driver.Record{ID: fmt.Sprint(left), Expiry: time.Now().Add(left), Version: 1})
	}
	for _, sweep := range []struct {
		name string
		by   *collection
		want int
	}{{"behind", behind, 1}, {"ahead", ahead, 1}, {"ahead, again", ahead, 0}} {
		if n, err := sweep.by.Sweep(background, 10); n != sweep.want || err != nil {
			t.Errorf("a program that is %s removes %d, want %d: %v", sweep.name, n, sweep.want, err)
		}
	}
}
