package scskit

import (
	"encoding/gob"
	"math"
	"math/big"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
)

type equalCart struct {
	Count map[string]int
	Price float64
	At    time.Time
	Extra any
	Next  *equalCart
}

// equalBasket is a map that gob writes in random order.
type equalBasket map[string]int

// equalOpaque encodes itself; its memo is not part of it.
type equalOpaque struct{ name, memo string }

func (o equalOpaque) GobEncode() ([]byte, error)   { return []byte(o.name), nil }
func (o *equalOpaque) GobDecode(data []byte) error { o.name = string(data); return nil }

// equalPanic cannot be encoded.
type equalPanic struct{ n int }

func (equalPanic) MarshalBinary() ([]byte, error) { panic("no") }

var registerEqualTypes = sync.OnceFunc(func() {
	gob.Register(equalCart{})
	gob.Register(equalBasket{})
})

func TestEqualValues(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	at := time.Date(2031, 5, 6, 7, 8, 9, 10, time.UTC)
	zone := func() *time.Location { return time.FixedZone("", 3600) }
	cart := func() equalCart {
		return equalCart{
			Count: map[string]int{"a": 1, "b": 2}, Price: nan, At: at.In(zone()),
			Extra: []any{nan, equalBasket{"x": 1}}, Next: &equalCart{Price: 1},
		}
	}
	other := func(change func(*equalCart)) equalCart {
		c := cart()
		change(&c)
		return c
	}
	for _, c := range []struct {
		name string
		a, b any
		want bool
	}{
		{"nil", nil, nil, true},
		{"nil and empty", []any(nil), []any{}, false},
		{"nil and nil map", nil, map[string]any(nil), false},
		{"strings", "a", "a", true},
		{"other strings", "a", "b", false},
		{"int and int64", 1, int64(1), false},
		{"NaN", nan, nan, true},
		{"NaN and 0", nan, 0.0, false},
		{"NaN of 32 bits", float32(nan), float32(nan), true},
		{"complex NaN", complex(nan, 1), complex(nan, 1), true},
		{"NaN inside", map[string]any{"k": []any{nan}}, map[string]any{"k": []any{nan}}, true},
		{"bytes", []byte("a"), []byte("a"), true},
		{"other bytes", []byte("a"), []byte("b"), false},
		{"times", at, at.Local().UTC(), true},
		{"times in zones of the same offset", at.In(zone()), at.In(zone()), true},
		{"times at other offsets", at, at.In(zone()), false},
		{"other times", at, at.Add(1), false},
		{"structs", cart(), cart(), true},
		{"pointers", &equalCart{Price: nan}, &equalCart{Price: nan}, true},
		{"nil pointers", (*equalCart)(nil), (*equalCart)(nil), true},
		{"nil and other pointer", (*equalCart)(nil), &equalCart{}, false},
		{"other map", cart(), other(func(c *equalCart) { c.Count["a"]++ }), false},
		{"other key", cart(), other(func(c *equalCart) { delete(c.Count, "a"); c.Count["c"] = 1 }),
			false},
		{"other float", cart(), other(func(c *equalCart) { c.Price = 1 }), false},
		{"other time", cart(), other(func(c *equalCart) { c.At = c.At.Add(1) }), false},
		{"other interface", cart(),
			other(func(c *equalCart) { c.Extra = []any{nan, equalBasket{"x": 2}} }), false},
		{"other pointer", cart(), other(func(c *equalCart) { c.Next.Price = 2 }), false},
		{"encoded alike", equalOpaque{"a", "b"}, equalOpaque{"a", "c"}, true},
		{"encoded otherwise", equalOpaque{"a", "b"}, equalOpaque{"c", "b"}, false},
		{"pointers, encoded alike", &equalOpaque{"a", "b"}, &equalOpaque{"a", "c"}, true},
		{"encoded alike inside", []any{equalOpaque{"a", "b"}}, []any{equalOpaque{"a", "c"}}, true},
		{"big numbers", *big.NewInt(7), *big.NewInt(7), true},
		{"other big numbers", big.NewInt(7), big.NewInt(8), false},
		{"panic", equalPanic{1}, equalPanic{2}, false},
		{"functions", func() {}, func() {}, false},
	} {
		if got := equalValues(c.a, c.b); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if got := equalValues(c.b, c.a); got != c.want {
			t.Errorf("%s, the other way round: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSameSession(t *testing.T) {
	t.Parallel()
	registerEqualTypes()
	basket := func(n int) map[string]any {
		b := equalBasket{}
		for i := range 20 {
			b[string(rune('a'+i))] = i * n
		}
		return map[string]any{"basket": b, "n": 1, "cart": equalCart{Count: b, Price: math.NaN()}}
	}
	with := func(values map[string]any, key string, v any) map[string]any {
		values[key] = v
		return values
	}
	for _, codec := range []scs.Codec{Codec{}, ownCodec{}, embedded{}, scs.GobCodec{}} {
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
			{"another order", otherOrder(t, stored,
				func() []byte { return encode(codecDeadline, basket(1)) }), true},
			{"another value in a map", encode(codecDeadline, basket(2)), false},
			{"another value", encode(codecDeadline, with(basket(1), "n", 2)), false},
			{"one more", encode(codecDeadline, with(basket(1), "m", nil)), false},
			{"another deadline", encode(codecDeadline.Add(1), basket(1)), false},
			{"damage", stored[:len(stored)-1], false},
			{"nothing", nil, false},
		} {
			if got := sameSession(codec, stored, c.data); got != c.want {
				t.Errorf("%T: %s: got %v, want %v", codec, c.name, got, c.want)
			}
		}
	}
	legacy := codecRecord(t, scs.GobCodec{}, basket(1))
	if sameSession(Codec{}, legacy, codecRecord(t, Codec{}, basket(1))) {
		t.Error("a record of scs.GobCodec counts as its own rewriting")
	}
}

// embedded is a codec that embeds Codec.
type embedded struct{ Codec }

// otherOrder calls encode until it gives bytes other than b.
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
