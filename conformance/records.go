package conformance

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/scskit/scskit/driver"
)

func (t *checkT) newDriver() driver.Driver {
	t.Helper()
	d := t.driver.New(t)
	if d == nil {
		t.Fatal("Driver.New returned nil")
	}
	return d
}

// newID returns an id of the form that a store uses.
func newID() string { return idOf(newToken()) }

// record returns a live record of version 1.
func record(id, data string) driver.Record {
	now := time.Now().Truncate(time.Millisecond)
	return driver.Record{
		ID: id, Data: []byte(data), Expiry: now.Add(lifetime),
		Created: now.Add(-2 * time.Minute), Updated: now.Add(-time.Minute),
		Seen: now.Add(-30 * time.Second), Version: 1,
	}
}

func (t *checkT) save(d driver.Driver, rec driver.Record, cond driver.Condition) {
	t.Helper()
	if err := d.Save(t.Context(), rec, cond); err != nil {
		t.Fatalf("save: %v", err)
	}
}

// wantRecord ends the check unless want is stored under its id.
func (t *checkT) wantRecord(d driver.Driver, want driver.Record) {
	t.Helper()
	got, err := d.Load(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	if diff := difference(got, want); diff != "" {
		t.Fatalf("load: %s", diff)
	}
}

// difference describes how two records differ, or returns "". It compares times to the millisecond.
func difference(got, want driver.Record) string {
	same := func(a, b time.Time) bool { return a.Sub(b).Abs() < time.Millisecond }
	switch {
	case got.ID != want.ID:
		return fmt.Sprintf("got id %q, want %q", got.ID, want.ID)
	case !bytes.Equal(got.Data, want.Data):
		return fmt.Sprintf("got data %s, want %s", brief(got.Data), brief(want.Data))
	case got.Version != want.Version:
		return fmt.Sprintf("got version %d, want %d", got.Version, want.Version)
	case !same(got.Expiry, want.Expiry):
		return fmt.Sprintf("got expiry %v, want %v", got.Expiry, want.Expiry)
	case !same(got.Created, want.Created):
		return fmt.Sprintf("got created %v, want %v", got.Created, want.Created)
	case !same(got.Updated, want.Updated):
		return fmt.Sprintf("got updated %v, want %v", got.Updated, want.Updated)
	case !same(got.Seen, want.Seen):
		return fmt.Sprintf("got seen %v, want %v", got.Seen, want.Seen)
	}
	return ""
}

// wantErr checks that err matches one of those wanted.
func (t *checkT) wantErr(op string, err error, want ...error) {
	t.Helper()
	if !slices.ContainsFunc(want, func(w error) bool { return errors.Is(err, w) }) {
		t.Errorf("%s: got error %v, want %v", op, err, want)
	}
}

func (t *checkT) wantNoRecord(d driver.Driver, id string) {
	t.Helper()
	rec, err := d.Load(t.Context(), id)
	if err == nil {
		t.Fatalf("load: got a record with data %s, want ErrNotFound", brief(rec.Data))
	}
	t.wantErr("load", err, driver.ErrNotFound)
}

// noise returns n bytes that do not compress.
func noise(n int) []byte {
	b := make([]byte, n)
	src := rand.NewChaCha8([32]byte{1})
	_, _ = src.Read(b)
	return b
}

// touchTo returns the record for a Touch.
func touchTo(id string, version int64, expiry time.Time) driver.Record {
	return driver.Record{ID: id, Version: version, Expiry: expiry, Seen: expiry.Add(-time.Minute)}
}
