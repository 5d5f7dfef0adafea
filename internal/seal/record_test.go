package seal

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

const recordID = "an id"

func TestRecord(t *testing.T) {
	s := newSealer(t, key(1))
	for _, data := range []string{"", "secret", string(make([]byte, 100_000))} {
		record := s.SealRecord([]byte(data), recordID)
		if len(record) != len(data)+RecordOverhead || !IsRecord(record) {
			t.Errorf("%d bytes of data: the record has %d bytes", len(data), len(record))
		}
		got, current, err := s.OpenRecord(record, recordID)
		if string(got) != data || !current || err != nil {
			t.Errorf("%d bytes of data: got %d, current %v, error %v", len(data), len(got), current, err)
		}
	}
}

// A record opens under the id and the key that it was sealed for, whole and unchanged.
func TestHostileRecord(t *testing.T) {
	s := newSealer(t, key(2), key(1))
	record := newSealer(t, key(1)).SealRecord([]byte("secret"), recordID)
	refuse := func(what string, s *Sealer, record []byte, id string, want error) {
		t.Helper()
		data, _, err := s.OpenRecord(record, id)
		if data != nil || !errors.Is(err, want) {
			t.Errorf("%s: got %q, error %v, want %v", what, data, err, want)
		}
	}
	for i := range record {
		for bit := range 8 {
			flipped := bytes.Clone(record)
			flipped[i] ^= 1 << bit
			want := ErrOpen
			switch {
			case i < 2:
				want = ErrNotSealed
			case i >= 3 && i < recordHeader:
				want = ErrUnknownKey
			}
			refuse(fmt.Sprintf("bit %d of byte %d flipped", bit, i), s, flipped, recordID, want)
		}
	}
	for n := range record {
		want := ErrOpen
		if n < 3 {
			want = ErrNotSealed
		}
		refuse(fmt.Sprintf("cut to %d bytes", n), s, record[:n], recordID, want)
	}
	refuse("a byte more", s, append(bytes.Clone(record), 0), recordID, ErrOpen)
	for _, id := range []string{"", "an i", "an id ", "another"} {
		refuse("under the id "+id, s, record, id, ErrOpen)
	}
	refuse("another key", newSealer(t, key(2)), record, recordID, ErrUnknownKey)
	relabelled := newSealer(t, key(2)).SealRecord([]byte("secret"), recordID)
	copy(relabelled[3:recordHeader], record[3:recordHeader])
	refuse("another key's id", s, relabelled, recordID, ErrOpen)

	// The same key with another purpose, as in a cookie.
	other := newSealer(t, key(1)).Seal([]byte("secret"), "scskit cookie 2 "+recordID)
	refuse("a sealed cookie", s, append(bytes.Clone(record[:recordHeader]), other...), recordID,
		ErrOpen)
	if got, _, err := s.Open(record[recordHeader:], "scskit cookie 2 "+recordID); err == nil {
		t.Errorf("a record opens as a cookie: %q", got)
	}
}

func TestRecordRotation(t *testing.T) {
	record := newSealer(t, key(1)).SealRecord([]byte("secret"), recordID)
	got, current, err := newSealer(t, key(2), key(1)).OpenRecord(record, recordID)
	if string(got) != "secret" || current || err != nil {
		t.Errorf("under a retiring key: got %q, current %v, error %v", got, current, err)
	}
}

func TestAllocations(t *testing.T) {
	s := newSealer(t, key(1))
	data := make([]byte, 100)
	var record []byte
	if n := testing.AllocsPerRun(100, func() { record = s.SealRecord(data, recordID) }); n > 1 {
		t.Errorf("SealRecord: %v allocations, want 1", n)
	}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = s.OpenRecord(record, recordID) }); n > 1 {
		t.Errorf("OpenRecord: %v allocations, want 1", n)
	}
}

func FuzzOpenRecord(f *testing.F) {
	s := newSealer(f, key(1))
	f.Add(s.SealRecord([]byte("secret"), recordID), recordID)
	f.Add([]byte("\xc1S\x01"), "")
	f.Add([]byte{}, "id")
	f.Fuzz(func(t *testing.T, record []byte, id string) {
		data, _, err := s.OpenRecord(record, id)
		if err != nil {
			return
		}
		// The fuzzer cannot forge a record, so this one is the first seed.
		if string(data) != "secret" || id != recordID {
			t.Errorf("opened %q under the id %q", data, id)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	s := newSealer(b, key(1))
	id := string(bytes.Repeat([]byte("i"), 43))
	for _, size := range []int{100, 1000, 10_000} {
		data := make([]byte, size)
		record := s.SealRecord(data, id)
		b.Run(fmt.Sprintf("op=seal/bytes=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.SealRecord(data, id)
			}
		})
		b.Run(fmt.Sprintf("op=open/bytes=%d", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _, _ = s.OpenRecord(record, id)
			}
		})
	}
}
