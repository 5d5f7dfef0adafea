package redisstore

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

func TestLayout(t *testing.T) {
	t.Parallel()
	created := time.UnixMilli(0x0102_0304_0506)
	rec := driver.Record{
		ID: "a", Data: []byte("data"), Version: 0x1112131415161718,
		Expiry:  time.UnixMilli(0x2122_2324_2526),
		Created: created, Updated: created.Add(0x31323334 * time.Millisecond),
	}
	const short = "\xf5\x11\x12\x13\x14\x15\x16\x17\x18\x21\x22\x23\x24\x25\x26\x01\x02\x03\x04\x05\x06\x31\x32\x33\x34data"
	if got := encode(rec); string(got) != short {
		t.Errorf("got %x, want %x", got, short)
	}
	rec.Updated = created.Add(1 << 32 * time.Millisecond)
	const long = "\xf6\x11\x12\x13\x14\x15\x16\x17\x18\x21\x22\x23\x24\x25\x26\x01\x02\x03\x04\x05\x06\x00\x01\x00\x00\x00\x00data"
	if got := encode(rec); string(got) != long {
		t.Errorf("got %x, want %x", got, long)
	}
	if got, ok := decode("a", encode(rec)); !ok || !equal(got, rec) {
		t.Errorf("got %+v, want %+v", got, rec)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	year := func(y int) time.Time { return time.Date(y, 12, 31, 23, 59, 59, 999_999_999, time.UTC) }
	for _, tc := range []struct{ expiry, created, updated time.Time }{
		{now, now, now},
		{year(2039), now, now.Add(time.Hour)},
		{year(9999), now, now.Add(49 * 24 * time.Hour)},
		{year(2200), now, now.Add(50 * 24 * time.Hour)},
		{year(2039), year(2038), year(2200)},
	} {
		rec := driver.Record{ID: "a", Expiry: tc.expiry, Created: tc.created, Updated: tc.updated,
			Version: 1}
		got, ok := decode("a", encode(rec))
		if !ok || !equal(got, rec) || got.Expiry.After(tc.expiry) {
			t.Errorf("got %+v, want %+v", got, rec)
		}
	}
	got, _ := decode("a", encode(driver.Record{Expiry: time.UnixMilli(1 << 48),
		Updated: now.Add(-time.Hour), Created: now}))
	if got.Expiry.UnixMilli() != 1<<48-1 || !got.Updated.Equal(got.Created) {
		t.Errorf("got %+v", got)
	}
	if got, _ := decode("a", encode(driver.Record{})); got.Expiry.UnixMilli() != 0 ||
		got.Created.UnixMilli() != 0 {
		t.Errorf("got %+v", got)
	}
}

// The script, too, knows both headers, and moves a session from one to the other.
func TestSaveKeepsCreated(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		const day = 24 * time.Hour
		created := time.Now().Add(-365 * day)
		for _, cond := range []driver.Condition{driver.Always(), driver.IfVersion(1)} {
			// of updated, after created
			for _, before := range []time.Duration{0, time.Millisecond, 40 * day, 60 * day} {
				// of the new record's created, after that of the old
				for _, other := range []time.Duration{-100 * day, 0, day, 60 * day} {
					// of updated, after the new created
					for _, after := range []time.Duration{-day, 0, 49 * day, 50 * day, 300 * day} {
						if err := s.Delete(background, "a"); err != nil && !errors.Is(err, driver.ErrNotFound) {
							t.Fatal(err)
						}
						old := record("a", 1, time.Hour)
						old.Created, old.Updated = created, created.Add(before)
						save(t, s, old)
						rec := record("a", 1, 2*time.Hour)
						rec.Data, rec.Created = []byte("new"), created.Add(other)
						rec.Updated = rec.Created.Add(after)
						if err := s.Save(background, rec, cond); err != nil {
							t.Fatal(err)
						}
						rec.Updated = latest(rec.Updated, rec.Created, created)
						rec.Created = created
						if got := load(t, s, "a"); !equal(got, rec) {
							t.Fatalf("before %v, other %v, after %v: got %+v, want %+v", before, other, after, got, rec)
						}
					}
				}
			}
		}
	})
}

func latest(times ...time.Time) (t time.Time) {
	for _, u := range times {
		if u.After(t) {
			t = u
		}
	}
	return t
}

// A session of three keys is at most 100 bytes of value.
func TestSize(t *testing.T) {
	t.Parallel()
	now := time.Now()
	data, err := scskit.Codec{}.Encode(now.Add(24*time.Hour), map[string]any{
		"user_id": 1234567, "csrf": "Zm9vYmFyYmF6cXV4cXV1eA", "flash": "saved",
	})
	if err != nil {
		t.Fatal(err)
	}
	rec := driver.Record{Data: data, Expiry: now.Add(time.Hour), Created: now,
		Updated: now.Add(40 * 24 * time.Hour), Version: 1}
	if n := len(encode(rec)); n > 100 || n-len(data) > 25 {
		t.Errorf("%d bytes, of which %d are data", n, len(data))
	}
}

func FuzzDecode(f *testing.F) {
	rec := record("a", 1, time.Hour)
	f.Add(encode(rec))
	rec.Updated = rec.Created.Add(50 * 24 * time.Hour)
	f.Add(encode(rec))
	f.Add(encode(rec)[:26])
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, ok := decode("a", b)
		if !ok {
			return
		}
		if !bytes.HasSuffix(b, rec.Data) || rec.ID != "a" || rec.Updated.Before(rec.Created) {
			t.Errorf("%x is %+v", b, rec)
		}
		again, ok := decode("a", encode(rec))
		if ok && rec.Updated.UnixMilli() <= maxMillis && !equal(again, rec) {
			t.Errorf("%x is %+v, and then %+v", b, rec, again)
		}
	})
}
