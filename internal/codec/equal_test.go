package codec

import (
	"math"
	"math/big"
	"testing"
	"time"
)

type equalCart struct {
	Count map[string]int
	Price float64
	At    time.Time
	Extra any
	Next  *equalCart
}

// basketMap is a map, which gob encodes in random order.
type basketMap map[string]int

// opaque encodes itself, without its memo.
type opaque struct{ name, memo string }

func (o opaque) GobEncode() ([]byte, error)   { return []byte(o.name), nil }
func (o *opaque) GobDecode(data []byte) error { o.name = string(data); return nil }

// unencodable cannot be encoded.
type unencodable struct{ n int }

func (unencodable) MarshalBinary() ([]byte, error) { panic("no") }

func TestEqualValues(t *testing.T) {
	t.Parallel()
	nan := math.NaN()
	at := time.Date(2031, 5, 6, 7, 8, 9, 10, time.UTC)
	zone := func() *time.Location { return time.FixedZone("", 3600) }
	cart := func() equalCart {
		return equalCart{
			Count: map[string]int{"a": 1, "b": 2}, Price: nan, At: at.In(zone()),
			Extra: []any{nan, basketMap{"x": 1}}, Next: &equalCart{Price: 1},
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
			other(func(c *equalCart) { c.Extra = []any{nan, basketMap{"x": 2}} }), false},
		{"other pointer", cart(), other(func(c *equalCart) { c.Next.Price = 2 }), false},
		{"encoded alike", opaque{"a", "b"}, opaque{"a", "c"}, true},
		{"encoded otherwise", opaque{"a", "b"}, opaque{"c", "b"}, false},
		{"pointers, encoded alike", &opaque{"a", "b"}, &opaque{"a", "c"}, true},
		{"encoded alike inside", []any{opaque{"a", "b"}}, []any{opaque{"a", "c"}}, true},
		{"big numbers", *big.NewInt(7), *big.NewInt(7), true},
		{"other big numbers", big.NewInt(7), big.NewInt(8), false},
		{"panic", unencodable{1}, unencodable{2}, false},
		{"functions", func() {}, func() {}, false},
	} {
		if got := Equal(c.a, c.b); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
		if got := Equal(c.b, c.a); got != c.want {
			t.Errorf("%s, with the arguments swapped: got %v, want %v", c.name, got, c.want)
		}
	}
}
