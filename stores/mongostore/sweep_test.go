package mongostore

import (
	"fmt"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

func TestSweepKeepsRenewed(t *testing.T) {
	t.Parallel()
	c := newClock()
	coll := newCollection(t, connect(t, nil))
	d, ahead := newTestDriver(t, coll, c), newClock()
	for i := range 20 {
		save(t, d, record(c, fmt.Sprint(i), 1, time.Minute))
	}
	ahead.at.Store(c.now().Add(time.Minute).UnixMilli())
	sweeping := newTestDriver(t, coll, ahead)
	ids, err := sweeping.expiredIDs(background, sweeping.clock(), 100)
	if err != nil || len(ids) != 20 {
		t.Fatalf("got %d ids, %v, want 20", len(ids), err)
	}
	want(t, "touch", d.Touch(background, touchTo("3", 1, c.now().Add(time.Hour))), nil)
	if n, err := sweeping.remove(background, sweeping.clock(), ids); err != nil || n != 19 {
		t.Errorf("removed %d, %v, want 19", n, err)
	}
	_, err = d.Load(background, "3")
	want(t, "load", err, nil)
}

// If the program's clock is ahead, a sweep keeps the sessions that are live by the server's clock.
// If it is behind, a sweep keeps those that are live by the program's clock.
func TestSweepByBothClocks(t *testing.T) {
	t.Parallel()
	coll := newCollection(t, connect(t, nil))
	at := func(skew time.Duration) *collection {
		c := newClock()
		c.at.Store(time.Now().Add(skew).UnixMilli())
		return newTestDriver(t, coll, c)
	}
	exact, behind, ahead := at(0), at(-time.Hour), at(time.Hour)
	for _, left := range []time.Duration{
		-2 * time.Hour, -30 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	} {
		save(t, exact, driver.Record{ID: fmt.Sprint(left), Expiry: time.Now().Add(left), Version: 1})
	}
	for _, sweep := range []struct {
		name string
		by   *collection
		want int
	}{
		{"clock behind", behind, 1}, {"clock ahead", ahead, 1}, {"clock ahead, again", ahead, 0},
	} {
		if n, err := sweep.by.Sweep(background, 10); n != sweep.want || err != nil {
			t.Errorf("%s: removed %d, %v, want %d", sweep.name, n, err, sweep.want)
		}
	}
}
