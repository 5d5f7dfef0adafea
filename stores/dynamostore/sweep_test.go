package dynamostore

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// newSweptTable returns a table without TTL, with a clock that is a day behind the server's: it is
// this clock that decides what a sweep removes.
func newSweptTable(t *testing.T) (*table, *clock, *wire) {
	t.Helper()
	c, w := newClock(), &wire{transport: http.DefaultTransport}
	c.at.Store(time.Now().Add(-24 * time.Hour).UnixMilli())
	d := newTable(t, clientOf(testenv.DynamoDB(t), w),
		Options{Options: scskit.Options{Now: c.now}, TTLDisabled: true})
	return d, c, w
}

// TestSweepByBothClocks: a program with a clock that is ahead removes no session that lives by the
// server's clock, and one with a clock that is behind removes none that lives by its own.
func TestSweepByBothClocks(t *testing.T) {
	t.Parallel()
	d, c, _ := newSweptTable(t)
	for _, left := range []time.Duration{-2 * time.Hour, -30 * time.Minute, 30 * time.Minute,
		2 * time.Hour} {
		save(t, d, driver.Record{ID: fmt.Sprint(left), Expiry: time.Now().Add(left), Version: 1})
	}
	for _, sweep := range []struct {
		name string
		skew time.Duration
		want int
	}{{"behind", -time.Hour, 1}, {"ahead", time.Hour, 1}, {"ahead, again", time.Hour, 0}} {
		c.at.Store(time.Now().Add(sweep.skew).UnixMilli())
		if n, err := d.Sweep(background, 10); n != sweep.want || err != nil {
			t.Errorf("a program that is %s removes %d, want %d: %v", sweep.name, n, sweep.want, err)
		}
	}
}
