package scskit

import (
	"encoding/gob"
	"math"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

var codecDeadline = time.Date(2031, 5, 6, 7, 8, 9, 123456789, time.UTC)

func encoded(t *testing.T, c scs.Codec, values map[string]any) []byte {
	t.Helper()
	record, err := c.Encode(codecDeadline, values)
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// goods is encoded by gob as a map, so in random order.
type goods map[string]int

type trolley struct {
	Count map[string]int
	Price float64
}

func TestSameSession(t *testing.T) {
	t.Parallel()
	gob.Register(trolley{})
	gob.Register(goods{})
	basket := func(n int) map[string]any {
		b := goods{}
		for i := range 20 {
			b[string(rune('a'+i))] = i * n
		}
		return map[string]any{"basket": b, "n": 1, "cart": trolley{Count: b, Price: math.NaN()}}
	}
	with := func(values map[string]any, key string, v any) map[string]any {
		values[key] = v
		return values
	}
	for _, codec := range []scs.Codec{Codec{}, &Codec{}, embedded{}, scs.GobCodec{}} {
		encode := func(deadline time.Time, values map[string]any) []byte {
			b, err := codec.Encode(deadline, values)
			if err != nil {
				t.Fatal(err)
			}
			return b
		}
		stored := encode(codecDeadline, basket(1))
		for _, c := range []struct {
			name string
			data []byte
			want bool
		}{
			{"the same bytes", stored, true},
			{"the same values", encode(codecDeadline, basket(1)), true},
			{"another order in a map", otherOrder(t, stored,
				func() []byte { return encode(codecDeadline, basket(1)) }), true},
			{"another value in a map", encode(codecDeadline, basket(2)), false},
			{"another value", encode(codecDeadline, with(basket(1), "n", 2)), false},
			{"another key", encode(codecDeadline, with(basket(1), "m", nil)), false},
			{"another deadline", encode(codecDeadline.Add(1), basket(1)), false},
			{"a damaged record", stored[:len(stored)-1], false},
			{"no record", nil, false},
		} {
			if got := newStoreCodec(codec).same(stored, c.data); got != c.want {
				t.Errorf("%T: %s: got %v, want %v", codec, c.name, got, c.want)
			}
		}
	}
	legacy, current := encoded(t, scs.GobCodec{}, basket(1)), encoded(t, Codec{}, basket(1))
	if newStoreCodec(nil).same(legacy, current) {
		t.Error("a record of scs.GobCodec is the same as one of Codec")
	}
}

// embedded is a codec that embeds Codec.
type embedded struct{ Codec }

// otherOrder calls encode until it returns bytes other than b.
func otherOrder(t *testing.T, b []byte, encode func() []byte) []byte {
	t.Helper()
	for range 1000 {
		if other := encode(); string(other) != string(b) {
			return other
		}
	}
	t.Fatal("gob wrote a map in the same order a thousand times")
	return nil
}
