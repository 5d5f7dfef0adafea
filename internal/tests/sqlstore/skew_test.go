package sqlstore

import (
	"fmt"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// TestSweepByBothClocks sweeps with clocks that are ahead of and behind the server's. A sweep may
// only remove sessions that have expired by both clocks.
func TestSweepByBothClocks(t *testing.T) {
	t.Parallel()
	for _, p := range servers {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			at := func(skew time.Duration) *clock {
				c := newClock()
				c.at.Store(time.Now().Add(skew).UnixNano())
				return c
			}
			db, name := p.open(t), testenv.Name(t)
			exact := newServerTable(t, db, p.dialect, name, at(0))
			behind, ahead := tableAt(t, exact, at(-time.Hour)), tableAt(t, exact, at(time.Hour))
			for _, left := range []time.Duration{
				-2 * time.Hour, -30 * time.Minute, 30 * time.Minute, 2 * time.Hour,
			} {
				expiry := time.Now().Add(left)
				save(t, exact, driver.Record{ID: fmt.Sprint(left), Expiry: expiry, Version: 1})
			}
			for _, sweep := range []struct {
				name string
				by   *table
				want int
			}{{"behind", behind, 1}, {"ahead", ahead, 1}, {"ahead, again", ahead, 0}} {
				if n, err := sweep.by.Sweep(background, 10); n != sweep.want || err != nil {
					t.Errorf("a program whose clock is %s removes %d, want %d: %v", sweep.name, n, sweep.want, err)
				}
			}
		})
	}
}

// tableAt returns another driver on the table of s, with another clock.
func tableAt(t *testing.T, s *table, c *clock) *table {
	t.Helper()
	opts := &Options{Options: scskit.Options{Now: c.now}, Table: s.name.String()}
	d, err := newDriver(s.db, s.dialect, opts)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*table)
}
