package redisstore

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

func TestLayout(t *testing.T) {
	t.Parallel()
	rec := driver.Record{
		ID: "a", Data: []byte("data"), Version: 0x1112131415161718,
		Expiry: time.UnixMilli(0x2122_2324_2526), Seen: time.UnixMilli(0x3132_3334_3536),
		Created: time.UnixMilli(0x0102_0304_0506), Updated: time.UnixMilli(0x4142_4344_4546),
	}
	const times = "\x11\x12\x13\x14\x15\x16\x17\x18" + // version
		"\x21\x22\x23\x24\x25\x26" + // expiry
		"\x31\x32\x33\x34\x35\x36" + // seen
		"\x01\x02\x03\x04\x05\x06" + // created
		"\x41\x42\x43\x44\x45\x46" // updated
	for user, want := range map[string]string{
		"":      "\xf5" + times + "data",
		"alice": "\xf6" + times + "\x05alicedata",
	} {
		rec.User = user
		if got := encode(rec); string(got) != want {
			t.Errorf("got %x, want %x", got, want)
		}
		if got, ok := decode("a", encode(rec)); !ok || !equal(got, rec) {
			t.Errorf("got %+v, want %+v", got, rec)
		}
	}
}

// The longest user is stored, and a longer one is an error.
func TestLongestUser(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		rec := record("a", 1, time.Hour)
		rec.User = strings.Repeat("\xff", maxUser)
		save(t, s, rec)
		if err := s.Save(background, rec, driver.IfVersion(1)); err != nil {
			t.Error(err)
		}
		if got := load(t, s, "a"); !equal(got, rec) {
			t.Errorf("got %+v, want %+v", got, rec)
		}
		rec.User += "x"
		err := s.Save(background, rec, driver.Always())
		const text = "redisstore: save: Record.User has 65 bytes: it must have at most 64"
		if err == nil || err.Error() != text {
			t.Errorf("got error %v, want %s", err, text)
		}
	})
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
		rec := driver.Record{
			ID: "a", Expiry: tc.expiry, Created: tc.created, Updated: tc.updated, Seen: tc.updated,
			Version: 1,
		}
		got, ok := decode("a", encode(rec))
		if !ok || !equal(got, rec) || got.Expiry.After(tc.expiry) {
			t.Errorf("got %+v, want %+v", got, rec)
		}
	}
	rec := driver.Record{Expiry: time.UnixMilli(1 << 48), Updated: now.Add(-time.Hour), Created: now}
	got, _ := decode("a", encode(rec))
	if got.Expiry.UnixMilli() != 1<<48-1 || !got.Updated.Equal(got.Created) {
		t.Errorf("got %+v, want the latest expiry, and updated equal to created", got)
	}
	got, _ = decode("a", encode(driver.Record{}))
	if got.Expiry.UnixMilli() != 0 || got.Created.UnixMilli() != 0 {
		t.Errorf("got %+v, want expiry and created of 1970", got)
	}
}

// A save keeps the created of the stored session, whether or not either of them has a user.
func TestSaveKeepsCreated(t *testing.T) {
	onEach(t, func(t *testing.T, s *sessions) {
		const day = 24 * time.Hour
		for _, cond := range []driver.Condition{driver.Always(), driver.IfVersion(1)} {
			for _, oldAge := range []time.Duration{0, time.Millisecond, 60 * day} {
				for _, shift := range []time.Duration{-100 * day, 0, day, 60 * day} {
					for _, age := range []time.Duration{-day, 0, 50 * day, 300 * day} {
						for _, users := range [][2]string{{"", ""}, {"alice", ""}, {"", "bob"}, {"alice", "bob"}} {
							testKeepsCreated(t, s, cond, oldAge, shift, age, users)
						}
					}
				}
			}
		}
	})
}

// testKeepsCreated saves a session over another one. In the stored session, updated is oldAge after
// created. In the new session, created is shift after that of the stored one, and updated is age
// after its own created.
func testKeepsCreated(
	t *testing.T, s *sessions, cond driver.Condition, oldAge, shift, age time.Duration,
	users [2]string,
) {
	t.Helper()
	err := s.Delete(background, "a", driver.Always())
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		t.Fatal(err)
	}
	created := time.Now().Add(-365 * 24 * time.Hour)
	old := record("a", 1, time.Hour)
	old.Created, old.Updated = created, created.Add(oldAge)
	old.User = users[0]
	save(t, s, old)
	rec := record("a", 1, 2*time.Hour)
	rec.Data, rec.Created = []byte("new"), created.Add(shift)
	rec.Updated, rec.User = rec.Created.Add(age), users[1]
	if err := s.Save(background, rec, cond); err != nil {
		t.Fatal(err)
	}
	rec.Updated = latest(rec.Updated, rec.Created, created)
	rec.Created = created
	if got := load(t, s, "a"); !equal(got, rec) {
		t.Fatalf("old age %v, shift %v, age %v: got %+v, want %+v", oldAge, shift, age, got, rec)
	}
}

func latest(times ...time.Time) (t time.Time) {
	for _, u := range times {
		if u.After(t) {
			t = u
		}
	}
	return t
}

// The value of a session with three keys has at most 108 bytes.
func TestSize(t *testing.T) {
	t.Parallel()
	now := time.Now()
	data, err := scskit.Codec{}.Encode(now.Add(24*time.Hour), map[string]any{
		"user_id": 1234567, "csrf": "Zm9vYmFyYmF6cXV4cXV1eA", "flash": "saved",
	})
	if err != nil {
		t.Fatal(err)
	}
	rec := driver.Record{
		Data: data, Expiry: now.Add(time.Hour), Version: 1,
		Created: now, Updated: now.Add(40 * 24 * time.Hour),
	}
	if n := len(encode(rec)); n > 108 || n-len(data) > header {
		t.Errorf("got %d bytes, %d of them data, want at most 108 and a header of 33", n, len(data))
	}
}

func FuzzDecode(f *testing.F) {
	rec := record("a", 1, time.Hour)
	f.Add(encode(rec))
	rec.User = "alice"
	f.Add(encode(rec))
	f.Add(encode(rec)[:fromUser+3])
	f.Add(append(encode(rec)[:header], 0))
	f.Add([]byte(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		rec, ok := decode("a", b)
		if !ok {
			return
		}
		if !bytes.HasSuffix(b, rec.Data) || rec.ID != "a" || rec.Updated.Before(rec.Created) {
			t.Errorf("%x decodes to %+v", b, rec)
		}
		if len(rec.User) > maxUser {
			t.Errorf("%x decodes to a user of %d bytes", b, len(rec.User))
		}
		if again, ok := decode("a", encode(rec)); !ok || !equal(again, rec) {
			t.Errorf("%x decodes to %+v, and when encoded again to %+v", b, rec, again)
		}
	})
}
