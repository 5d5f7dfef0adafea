package conformance

import (
	"bytes"
	"errors"
	"strings"

	"github.com/scskit/scskit/driver"
)

// driverSchemaChecks cover driver.SizeLimiter and driver.SchemaManager.
var driverSchemaChecks = []check{
	{"driver/limit", LevelDriver, limitExact,
		"SizeLimiter: MaxData bytes are stored; one byte more is a " +
			"*TooLargeError or stored, and never cut"},
	{"driver/schema-create", LevelDriver, schemaCreate,
		"SchemaManager: CreateSchema returns nil if there is nothing to do, and keeps the records"},
	{"driver/schema-check", LevelDriver, schemaCheck,
		"SchemaManager: CheckSchema returns an error that matches ErrNoSchema if something is " +
			"missing, and says how to create it"},
	{"driver/schema-drop", LevelDriver, schemaDrop,
		"SchemaManager: DropSchema removes every session, and returns nil if nothing is there"},
	{"driver/schema-missing", LevelDriver, schemaMissing,
		"a backend without its schema returns an error that matches ErrNoSchema, not an empty session"},
	{"driver/schema-text", LevelDriver, schemaText,
		"SchemaManager: Schema describes what CreateSchema runs"},
}

func (t *checkT) schemaManager() (driver.Driver, driver.SchemaManager) {
	t.Helper()
	d := t.newDriver()
	m, ok := driver.As[driver.SchemaManager](d)
	if !ok {
		t.notApplicable("the driver does not implement driver.SchemaManager")
	}
	return d, m
}

func limitExact(t *checkT) {
	const most = 32 << 20
	d := t.newDriver()
	l, ok := driver.As[driver.SizeLimiter](d)
	if !ok {
		t.notApplicable("the driver does not implement driver.SizeLimiter")
	}
	limit := l.MaxData()
	if limit <= 0 {
		t.Fatalf("MaxData is %d", limit)
	}
	if limit > most {
		t.notApplicable("the driver's limit is more than 32 MiB")
	}
	rec := record(newID(), string(noise(limit)))
	t.save(d, rec, driver.Always())
	t.wantRecord(d, rec)

	over := rec
	over.Data, over.Version = append(bytes.Clone(rec.Data), 'x'), 2
	for _, cond := range []driver.Condition{driver.IfVersion(1), driver.Always()} {
		err := d.Save(t.Context(), over, cond)
		if err == nil {
			t.wantRecord(d, over)
			continue
		}
		var tooLarge *driver.TooLargeError
		if !errors.As(err, &tooLarge) || tooLarge.Size != len(over.Data) {
			t.Errorf("save of %d bytes: got error %.200v, want a *driver.TooLargeError with this size",
				len(over.Data), err)
		}
		if len(err.Error()) > 1000 || strings.Contains(err.Error(), string(over.Data[:100])) {
			t.Error("save of one byte more: the error has the data in its text")
		}
		t.wantRecord(d, rec)
	}
}

func schemaCreate(t *checkT) {
	d, m := t.schemaManager()
	rec := record(newID(), "data")
	t.save(d, rec, driver.Always())
	t.each(4, func(int) {
		if err := m.CreateSchema(t.Context()); err != nil {
			t.Errorf("create: %v", err)
		}
	})
	if err := m.CheckSchema(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
	t.wantRecord(d, rec)
}

func (t *checkT) dropSchema(m driver.SchemaManager) {
	t.Helper()
	if err := m.DropSchema(t.Context()); err != nil {
		t.Fatalf("drop: %v", err)
	}
}

func schemaCheck(t *checkT) {
	_, m := t.schemaManager()
	if err := m.CheckSchema(t.Context()); err != nil {
		t.Fatalf("check: %v", err)
	}
	t.dropSchema(m)
	err := m.CheckSchema(t.Context())
	t.wantErr("check after drop", err, driver.ErrNoSchema)
	if err != nil && len(err.Error()) < len(driver.ErrNoSchema.Error())+10 {
		t.Errorf("check after drop: error %q does not say what is missing and how to create it", err)
	}
	if err := m.CreateSchema(t.Context()); err != nil {
		t.Fatalf("create: %v", err)
	}
	if err := m.CheckSchema(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

func schemaDrop(t *checkT) {
	d, m := t.schemaManager()
	rec := record(newID(), "data")
	t.save(d, rec, driver.Always())
	t.dropSchema(m)
	t.dropSchema(m)
	if err := m.CreateSchema(t.Context()); err != nil {
		t.Fatalf("create: %v", err)
	}
	t.wantNoRecord(d, rec.ID)
	t.save(d, rec, driver.IfAbsent())
	t.wantRecord(d, rec)
}

func schemaMissing(t *checkT) {
	d, m := t.schemaManager()
	t.dropSchema(m)
	_, err := d.Load(t.Context(), newID())
	t.wantErr("load", err, driver.ErrNoSchema)
	t.wantErr("save", d.Save(t.Context(), record(newID(), "data"), driver.IfAbsent()),
		driver.ErrNoSchema)
}

func schemaText(t *checkT) {
	_, m := t.schemaManager()
	if strings.TrimSpace(m.Schema()) == "" {
		t.Error("Schema returned an empty text")
	}
}
