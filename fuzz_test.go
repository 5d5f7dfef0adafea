package scskit

import (
	"context"
	"testing"
	"time"

	"github.com/scskit/scskit/driver"
)

// FuzzStoredRecord lets a store read hostile records. With keys, none of them may open; without,
// none may panic, or make the lookup of a renewed session endless.
func FuzzStoredRecord(f *testing.F) {
	plain, err := NewStore(&oneRecord{}, nil)
	if err != nil {
		f.Fatal(err)
	}
	key := make([]byte, 32)
	for i := range key {
		key[i] = byte(i * 7)
	}
	sealed, err := NewStore(&oneRecord{}, &Options{Keys: [][]byte{key}})
	if err != nil {
		f.Fatal(err)
	}
	good, err := Codec{}.Encode(time.Now().Add(time.Hour), map[string]any{"user": "ada"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(tombstoneMark))
	f.Add(tombstone{user: "user", next: []successor{{byAdapter, "next"}, {byRenewal, "\x00"}}}.data())
	f.Add(tombstone{closed: true}.data())
	f.Add(sealed.sealed(driver.Record{Data: good, ID: "another id"}).Data)
	f.Add([]byte("\xc1S\x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range []*Store{plain, sealed} {
			s.driver.(*oneRecord).data = data
			ctx := WithTracker(t.Context())
			_, found, err := s.FindCtx(ctx, "token")
			if s == sealed && found {
				t.Error("a record that was not sealed for the id opens")
			}
			if found && err != nil {
				t.Errorf("found, and error %v", err)
			}
		}
	})
}

// oneRecord is a driver that has the same data under every id.
type oneRecord struct {
	driver.Driver
	data []byte
}

func (d *oneRecord) Load(_ context.Context, id string) (driver.Record, error) {
	now := time.Now()
	return driver.Record{
		ID: id, Data: append([]byte(nil), d.data...), Expiry: now.Add(time.Hour), Created: now,
		Updated: now, Version: 1,
	}, nil
}

func (*oneRecord) Delete(context.Context, string, driver.Condition) error { return nil }
