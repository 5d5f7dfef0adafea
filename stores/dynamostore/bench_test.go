package dynamostore

import (
	"fmt"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

// BenchmarkDriver uses 1,000 sessions of 300 bytes.
func BenchmarkDriver(b *testing.B) {
	const n = 1000
	setup := func(b *testing.B) (*table, []driver.Record) {
		d, c, _ := newTestTable(b)
		recs := make([]driver.Record, n)
		for i := range recs {
			recs[i] = record(c, fmt.Sprintf("%043d", i), 1, time.Hour)
			recs[i].Data = make([]byte, 300)
			save(b, d, recs[i])
		}
		b.ReportAllocs()
		b.ResetTimer()
		return d, recs
	}
	b.Run("Load", func(b *testing.B) {
		d, recs := setup(b)
		for i := 0; b.Loop(); i++ {
			if _, err := d.Load(background, recs[i%n].ID); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, cond := range map[string]driver.Condition{
		"Save": driver.IfVersion(1), "Overwrite": driver.Always(),
	} {
		b.Run(name, func(b *testing.B) {
			d, recs := setup(b)
			for i := 0; b.Loop(); i++ {
				if err := d.Save(background, recs[i%n], cond); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("Touch", func(b *testing.B) {
		d, recs := setup(b)
		for i := 0; b.Loop(); i++ {
			rec := recs[i%n]
			expiry := rec.Expiry.Add(time.Duration(i) * time.Millisecond)
			if err := d.Touch(background, touchTo(rec.ID, 1, expiry)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
