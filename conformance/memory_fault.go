package conformance

import (
	"bytes"
	"errors"
	"runtime/debug"
	"strings"

	"github.com/scskit/scskit/driver"
)

// panicOnFault makes memory faults in the calling goroutine panic, so that recovered can report
// them.
func panicOnFault() { debug.SetPanicOnFault(true) }

// fault returns the report of a memory fault, with its place, if p is the panic of one.
func fault(p any) (text string, ok bool) {
	err, isErr := p.(error)
	var addressed interface{ Addr() uintptr }
	if !isErr || !errors.As(err, &addressed) {
		return "", false
	}
	return "returned memory that is not valid any more, or is read-only, in\n" + panicked(), true
}

// dataStays ends the check unless data that the driver has returned stays readable and unchanged
// through each later call.
func (t *checkT) dataStays(d driver.Driver) {
	t.Helper()
	size := 8 << 10
	if l, ok := driver.As[driver.SizeLimiter](d); ok {
		size = min(size, l.MaxData())
	}
	want := record(newID(), strings.Repeat("d", size))
	next := want
	next.Data, next.Version = bytes.Repeat([]byte("n"), size), 2
	other := record(newID(), strings.Repeat("o", size))
	t.save(d, other, driver.Always())
	for _, later := range []struct {
		call string
		make func() error
	}{
		{"Load", func() error { _, err := d.Load(t.Context(), other.ID); return err }},
		{"Touch", func() error { return d.Touch(t.Context(), touchTo(want.ID, 1, in(2*lifetime))) }},
		{"Save", func() error { return d.Save(t.Context(), next, driver.IfVersion(1)) }},
		{"Save of others", func() error { // enough to make a memory-mapped file grow
			for range 40 {
				rec := record(newID(), string(other.Data))
				if err := d.Save(t.Context(), rec, driver.IfAbsent()); err != nil {
					return err
				}
			}
			return nil
		}},
		{"Delete", func() error { return d.Delete(t.Context(), want.ID, driver.Always()) }},
		{"Sweep", func() error {
			s, ok := driver.As[driver.Sweeper](d)
			if !ok {
				return nil
			}
			_, err := s.Sweep(t.Context(), 10)
			return err
		}},
	} {
		t.save(d, want, driver.Always())
		loaded, err := d.Load(t.Context(), want.ID)
		if err != nil {
			t.Fatalf("load: %v", err)
		}
		got := map[string]driver.Record{"Load": loaded}
		if r, ok := driver.As[driver.Ranger](d); ok {
			for rec, err := range r.Range(t.Context()) {
				if err != nil {
					t.Fatalf("range: %v", err)
				}
				if rec.ID == want.ID {
					got["Range"] = rec
				}
			}
		}
		if err := later.make(); err != nil {
			t.Fatalf("%s: %v", later.call, err)
		}
		for method, rec := range got {
			t.stays(method, later.call, rec, want)
		}
	}
}

// stays ends the check unless a record that method has returned is still equal to want.
func (t *checkT) stays(method, later string, got, want driver.Record) {
	t.Helper()
	defer func() {
		p := recover()
		if _, ok := fault(p); ok {
			t.Fatalf("driver: %s returned memory that is no longer valid after %s", method, later)
		}
		if p != nil {
			panic(p)
		}
	}()
	if got.ID != want.ID || !bytes.Equal(got.Data, want.Data) {
		t.Fatalf("driver: the record that %s returned has changed after %s: data %s, want %s",
			method, later, brief(got.Data), brief(want.Data))
	}
}
