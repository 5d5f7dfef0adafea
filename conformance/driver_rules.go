package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scskit/scskit/driver"
)

// driverRuleChecks cover the rules that package driver states for all methods.
var driverRuleChecks = []check{
	{"driver/expired-load", LevelDriver, driverExpiredLoad,
		"package driver: an expired record does not exist for Load"},
	{"driver/expired-touch", LevelDriver, driverExpiredTouch,
		"package driver: an expired record does not exist for Touch"},
	{"driver/expired-if-absent", LevelDriver, driverExpiredIfAbsent,
		"Driver.Save: an expired record is absent for IfAbsent, and its Created is not kept"},
	{"driver/expired-if-version", LevelDriver, driverExpiredIfVersion,
		"Driver.Save: an expired record does not exist for IfVersion"},
	{"driver/expiry-precision", LevelDriver, driverExpiryPrecision,
		"package driver: times have at least millisecond precision, and " +
			"records expire with that precision"},
	{"driver/ids", LevelDriver, driverIDs,
		"package driver: ids hold any byte, up to 512 of them, and are compared byte for byte"},
	{"driver/data", LevelDriver, driverData,
		"package driver: data may be empty and holds any byte"},
	{"driver/data-sizes", LevelDriver, driverDataSizes,
		"package driver: data of any size is stored whole or refused"},
	{"driver/aliasing", LevelDriver, driverAliasing,
		"package driver: no argument is kept, and nothing returned is shared"},
	{"driver/data-stays", LevelDriver, driverDataStays,
		"package driver: returned data is not shared: it stays readable and " +
			"unchanged, whatever is called next"},
	{"driver/context", LevelDriver, driverContext,
		"package driver: if its context has ended, a method returns the error of " +
			"the context and changes nothing"},
	{"driver/concurrent", LevelDriver, driverConcurrent,
		"package driver: every method is safe for concurrent use"},
	{"driver/second-instance", LevelDriver, driverSecondInstance,
		"package driver: many processes on one backend see the same records"},
	{"driver/separate", LevelDriver, driverSeparate,
		"Driver.New: two drivers on one backend (prefixes, tables, collections) share no records"},
}

// saveExpiring stores a record and returns it after its expiry has passed.
func (t *checkT) saveExpiring(d driver.Driver) driver.Record {
	t.Helper()
	rec := record(newID(), "data")
	rec.Expiry = in(t.short()).Truncate(time.Millisecond)
	t.save(d, rec, driver.Always())
	t.pause(time.Until(rec.Expiry.Add(patience / 2)))
	return rec
}

func driverExpiredLoad(t *checkT) {
	d := t.newDriver()
	t.wantNoRecord(d, t.saveExpiring(d).ID)
}

func driverExpiredTouch(t *checkT) {
	d := t.newDriver()
	rec := t.saveExpiring(d)
	t.wantErr("touch", d.Touch(t.Context(), touchTo(rec.ID, rec.Version, in(lifetime))),
		driver.ErrConflict,
		driver.ErrNotFound)
	t.wantNoRecord(d, rec.ID)
}

func driverExpiredIfAbsent(t *checkT) {
	d := t.newDriver()
	rec := record(t.saveExpiring(d).ID, "new")
	rec.Created, rec.Version = rec.Created.Add(time.Second), 2
	t.save(d, rec, driver.IfAbsent())
	t.wantRecord(d, rec)
}

func driverExpiredIfVersion(t *checkT) {
	d := t.newDriver()
	rec := t.saveExpiring(d)
	again := record(rec.ID, "new")
	again.Version = 2
	t.wantErr("save", d.Save(t.Context(), again, driver.IfVersion(rec.Version)), driver.ErrConflict,
		driver.ErrNotFound)
	t.wantNoRecord(d, rec.ID)
}

func driverExpiryPrecision(t *checkT) {
	d := t.newDriver()
	second := in(1100 * time.Millisecond).Truncate(time.Second)
	early, late := record(newID(), "data"), record(newID(), "data")
	early.Expiry, late.Expiry = second.Add(100*time.Millisecond), second.Add(900*time.Millisecond)
	t.save(d, early, driver.Always())
	t.save(d, late, driver.Always())
	t.pause(time.Until(second.Add(50 * time.Millisecond)))
	if _, err := d.Load(t.Context(), late.ID); err != nil && time.Now().Before(late.Expiry) {
		t.Fatalf("load, before the expiry: %v", err)
	}
	t.until(early.Expiry.Add(patience), "an expired record is not found", func() bool {
		_, err := d.Load(t.Context(), early.ID)
		return errors.Is(err, driver.ErrNotFound)
	})
}

// nearIDs returns ids that differ, but that some comparisons equate.
func nearIDs() []string {
	long := strings.Repeat("x", 511)
	return append(slices.Clone(injections),
		"id", "ID", "Id", "id ", " id", "id\t", "id\x00", "\x00id", "\x00", "i", "idd", "*d", "i?",
		"i[d]", "_d",
		"\u00e9", "e\u0301", "e", "\uff49d", "\u00df", "ss", "\xff", "\xfe\xff", "\xc3", "id\n", "id\r\n",
		"1", "01", "1.0", "1e0", "0x1", "true", "null", "NULL", `"id"`, `{"a":1}`, "a:b", "a/b", "a%2fb",
		long, long+"x", long+"y", long+"X", long[:255], long[:256], long[:191],
	)
}

func driverIDs(t *checkT) {
	d := t.newDriver()
	ids := nearIDs()
	for i, id := range ids {
		rec := record(id, fmt.Sprint("data of ", i))
		if err := d.Save(t.Context(), rec, driver.IfAbsent()); err != nil {
			t.Fatalf("save if absent: id %s: %v", brief([]byte(id)), err)
		}
	}
	for i, id := range ids {
		rec, err := d.Load(t.Context(), id)
		if err != nil || rec.ID != id || string(rec.Data) != fmt.Sprint("data of ", i) {
			t.Errorf("load: id %s: error %v, data %s, id %s", brief([]byte(id)), err, brief(rec.Data),
				brief([]byte(rec.ID)))
		}
		if err := d.Touch(t.Context(), touchTo(id, 1, in(2*lifetime))); err != nil {
			t.Errorf("touch: id %s: %v", brief([]byte(id)), err)
		}
	}
	for i, id := range ids {
		if err := d.Delete(t.Context(), id, driver.Always()); err != nil {
			t.Errorf("delete: id %s: %v", brief([]byte(id)), err)
		}
		if i+1 < len(ids) {
			if _, err := d.Load(t.Context(), ids[i+1]); err != nil {
				t.Fatalf("delete of id %s also removed id %s: %v", brief([]byte(id)),
					brief([]byte(ids[i+1])), err)
			}
		}
	}
}

func driverData(t *checkT) {
	d := t.newDriver()
	var all []byte
	for b := range 256 {
		all = append(all, byte(b))
	}
	for _, data := range [][]byte{{}, nil, all, {0}, {0xff, 0xfe}, []byte(" \r\n"), []byte(`\x'"%`)} {
		rec := record(newID(), string(data))
		t.save(d, rec, driver.Always())
		t.wantRecord(d, rec)
		rec.Version, rec.Data = 2, append([]byte("x"), data...)
		t.save(d, rec, driver.IfVersion(1))
		t.wantRecord(d, rec)
	}
}

func driverDataSizes(t *checkT) {
	d := t.newDriver()
	for _, size := range []int{1<<16 - 1, 1 << 16, 1<<16 + 1, 400 << 10, 1 << 20} {
		rec := record(newID(), string(noise(size)))
		err := d.Save(t.Context(), rec, driver.Always())
		if limit, ok := driver.As[driver.SizeLimiter](d); ok && size > limit.MaxData() &&
			errors.Is(err, driver.ErrTooLarge) {
			t.wantNoRecord(d, rec.ID)
			continue
		}
		if err != nil {
			t.Fatalf("save of %d bytes: %v", size, err)
		}
		t.wantRecord(d, rec)
	}
}

func driverAliasing(t *checkT) {
	d := t.newDriver()
	want := record(newID(), "data")
	given := record(want.ID, "data")
	given.Expiry, given.Created, given.Updated = want.Expiry, want.Created, want.Updated
	given.Seen = want.Seen
	t.save(d, given, driver.Always())
	copy(given.Data, "XXXX")
	t.wantRecord(d, want)
	got, err := d.Load(t.Context(), want.ID)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	copy(got.Data, "XXXX")
	_ = append(got.Data, "more"...)
	t.wantRecord(d, want)
}

func driverContext(t *checkT) {
	d := t.newDriver()
	rec := record(newID(), "data")
	t.save(d, rec, driver.Always())
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	for _, ctx := range []context.Context{ended, late} {
		changed := record(rec.ID, "changed")
		changed.Version = 2
		calls := map[string]func() error{
			"load":        func() error { _, err := d.Load(ctx, rec.ID); return err },
			"save always": func() error { return d.Save(ctx, changed, driver.Always()) },
			"save if absent": func() error {
				return d.Save(ctx, record(newID(), "new"), driver.IfAbsent())
			},
			"save if version": func() error { return d.Save(ctx, changed, driver.IfVersion(1)) },
			"touch":           func() error { return d.Touch(ctx, touchTo(rec.ID, 1, in(2*lifetime))) },
			"delete":          func() error { return d.Delete(ctx, rec.ID, driver.Always()) },
		}
		if r, ok := driver.As[driver.Ranger](d); ok {
			calls["range"] = func() (err error) {
				for _, err = range r.Range(ctx) {
				}
				return err
			}
		}
		if s, ok := driver.As[driver.Sweeper](d); ok {
			calls["sweep"] = func() error { _, err := s.Sweep(ctx, 10); return err }
		}
		for name, call := range calls {
			t.promptly(name, prompt, func() time.Duration {
				begin := time.Now()
				t.wantErr(name, call(), ctx.Err())
				return time.Since(begin)
			})
		}
		t.wantRecord(d, rec)
	}
}

func driverConcurrent(t *checkT) {
	d := t.newDriver()
	t.each(20, func(i int) {
		for round := range 3 {
			rec := record(newID(), fmt.Sprint(i, round))
			t.save(d, rec, driver.IfAbsent())
			t.wantRecord(d, rec)
			rec.Data, rec.Version = append(rec.Data, '+'), 2
			t.save(d, rec, driver.IfVersion(1))
			rec.Expiry = rec.Expiry.Add(time.Second)
			if err := d.Touch(t.Context(), rec); err != nil {
				t.Fatalf("touch: %v", err)
			}
			t.wantRecord(d, rec)
			if s, ok := driver.As[driver.Sweeper](d); ok {
				if _, err := s.Sweep(t.Context(), 10); err != nil {
					t.Fatalf("sweep: %v", err)
				}
			}
			if err := d.Delete(t.Context(), rec.ID, driver.Always()); err != nil {
				t.Fatalf("delete: %v", err)
			}
			t.wantNoRecord(d, rec.ID)
		}
	})
}

func driverSecondInstance(t *checkT) {
	one := t.newDriver()
	if t.driver.Reopen == nil {
		t.notApplicable("Driver.Reopen is nil")
	}
	two := t.driver.Reopen(t, one)
	rec := record(newID(), "data")
	t.save(one, rec, driver.IfAbsent())
	t.wantRecord(two, rec)
	rec.Data, rec.Version = []byte("more data"), 2
	t.save(two, rec, driver.IfVersion(1))
	t.wantRecord(one, rec)
	t.wantErr("save", one.Save(t.Context(), rec, driver.IfVersion(1)), driver.ErrConflict)
	if err := one.Delete(t.Context(), rec.ID, driver.Always()); err != nil {
		t.Fatalf("delete: %v", err)
	}
	t.wantNoRecord(two, rec.ID)
}

func driverSeparate(t *checkT) {
	one, two := t.newDriver(), t.newDriver()
	rec := record(newID(), "one")
	t.save(one, rec, driver.Always())
	t.wantNoRecord(two, rec.ID)
	t.wantErr("delete", two.Delete(t.Context(), rec.ID, driver.Always()), driver.ErrNotFound)
	t.save(two, record(rec.ID, "two"), driver.IfAbsent())
	t.wantRecord(one, rec)
}

func driverDataStays(t *checkT) { t.dataStays(t.newDriver()) }
