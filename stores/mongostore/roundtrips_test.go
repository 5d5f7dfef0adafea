package mongostore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/event"

	"github.com/scskit/scskit/driver"
)

// monitor records the commands that are sent. Each is one round trip.
type monitor struct {
	mu       sync.Mutex
	commands []bson.Raw
}

func (m *monitor) events() *event.CommandMonitor {
	return &event.CommandMonitor{Started: func(_ context.Context, e *event.CommandStartedEvent) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.commands = append(m.commands, slices.Clone(e.Command))
	}}
}

// take returns the commands since the last call.
func (m *monitor) take() []bson.Raw {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := m.commands
	m.commands = nil
	return all
}

func names(commands []bson.Raw) string {
	var all []string
	for _, c := range commands {
		elements, _ := c.Elements()
		all = append(all, elements[0].Key())
	}
	return strings.Join(all, " ")
}

// Every operation is one command, whatever its result.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	c, m := newClock(), new(monitor)
	d := newTestDriver(t, newCollection(t, connect(t, m.events())), c)
	if err := d.coll.Database().Client().Ping(background, nil); err != nil {
		t.Fatal(err)
	}
	m.take()
	rec := record(c, "a", 1, time.Minute)
	load := func() error {
		_, err := d.Load(background, "a")
		return err
	}
	save := func(cond driver.Condition) func() error {
		return func() error { return d.Save(background, rec, cond) }
	}
	touch := func(version int64) func() error {
		return func() error { return d.Touch(background, touchTo("a", version, c.now().Add(time.Hour))) }
	}
	remove := func() error { return d.Delete(background, "a", driver.Always()) }
	list := func() error {
		for _, err := range d.Range(background) {
			return err
		}
		return nil
	}
	sweep := func() error {
		_, err := d.Sweep(background, 10)
		return err
	}
	for _, tc := range []struct {
		op, command string
		call        func() error
		want        error
	}{
		{"load of nothing", "find", load, driver.ErrNotFound},
		{"save over nothing", "update", save(driver.IfVersion(1)), driver.ErrConflict},
		{"create", "update", save(driver.IfAbsent()), nil},
		{"create again", "update", save(driver.IfAbsent()), driver.ErrConflict},
		{"overwrite", "update", save(driver.Always()), nil},
		{"save", "update", save(driver.IfVersion(1)), nil},
		{"save over another version", "update", save(driver.IfVersion(2)), driver.ErrConflict},
		{"touch", "update", touch(1), nil},
		{"touch of another version", "update", touch(2), driver.ErrConflict},
		{"load", "find", load, nil},
		{"delete", "delete", remove, nil},
		{"delete again", "delete", remove, driver.ErrNotFound},
		{"range", "find", list, nil},
		{"sweep of nothing", "hello find", sweep, nil},
	} {
		want(t, tc.op, tc.call(), tc.want)
		if got := names(m.take()); got != tc.command {
			t.Errorf("%s: sent %q, want %q", tc.op, got, tc.command)
		}
	}

	testRoundTripsOfMany(t, d, c, m)
}

// testRoundTripsOfMany checks a Range of two pages, and a sweep that removes records.
func testRoundTripsOfMany(t *testing.T, d *collection, c *clock, m *monitor) {
	t.Helper()
	for i := range pageRecords + 1 {
		save(t, d, record(c, fmt.Sprint(i), 1, time.Minute))
	}
	m.take()
	n := 0
	for _, err := range d.Range(background) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if got := names(m.take()); n != pageRecords+1 || got != "find find" {
		t.Errorf("range: got %d records with %q, want %d with find find", n, got, pageRecords+1)
	}
	c.advance(time.Minute)
	swept, err := d.Sweep(background, 100)
	if got := names(m.take()); err != nil || swept != 100 || got != "hello find delete" {
		t.Errorf("sweep: removed %d, %v, with %q, want 100 with hello find delete", swept, err, got)
	}
}
