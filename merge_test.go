package scskit

import (
	"maps"
	"testing"
	"time"
)

func TestMerge(t *testing.T) {
	type values = map[string]any
	tests := map[string]struct{ base, ours, theirs, want values }{
		"nothing changed": {values{"a": 1}, values{"a": 1}, values{"a": 1},
			values{"a": 1}},
		"both put, different keys": {values{}, values{"a": 1}, values{"b": 2},
			values{"a": 1, "b": 2}},
		"both put, same key: ours": {values{"a": 0}, values{"a": 1}, values{"a": 2},
			values{"a": 1}},
		"they changed, we did not": {values{"a": 0}, values{"a": 0}, values{"a": 2},
			values{"a": 2}},
		"they removed, we did not change": {values{"a": 0, "b": 1}, values{"a": 0, "b": 1},
			values{"b": 1}, values{"b": 1}},
		"they removed, we changed": {values{"a": 0}, values{"a": 1}, values{}, values{"a": 1}},
		"we removed, they did not change": {values{"a": 0}, values{}, values{"a": 0, "b": 1},
			values{"b": 1}},
		"we removed, they changed": {values{"a": 0}, values{}, values{"a": 2}, values{}},
		"both removed":             {values{"a": 0}, values{}, values{}, values{}},
		"we put the same value as they": {values{"a": 0}, values{"a": 2}, values{"a": 2},
			values{"a": 2}},
		"same text, other type": {values{"a": 1}, values{"a": int64(1)}, values{"a": 1},
			values{"a": int64(1)}},
		"nil is a value": {values{}, values{"a": nil}, values{}, values{"a": nil}},
		"nested value is one value: ours": {values{"m": values{"x": 1}}, values{"m": values{"x": 2}},
			values{"m": values{"x": 1, "y": 1}}, values{"m": values{"x": 2}}},
		"no base: ours added to theirs": {nil, values{"a": 1}, values{"a": 2, "b": 3},
			values{"a": 1, "b": 3}},
	}
	deadline := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	s := &Store{codec: newStoreCodec(nil)}
	encode := func(t *testing.T, v values) []byte {
		t.Helper()
		if v == nil {
			return nil
		}
		b, err := Codec{}.Encode(deadline, v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := s.merge3(encode(t, tt.base), encode(t, tt.ours), encode(t, tt.theirs))
			if err != nil {
				t.Fatal(err)
			}
			_, got, err := Codec{}.Decode(m.data)
			if err != nil {
				t.Fatal(err)
			}
			equal := func(a, b any) bool {
				am, ok := a.(values)
				if !ok {
					return a == b
				}
				return maps.Equal(am, b.(values))
			}
			if !maps.EqualFunc(got, tt.want, equal) {
				t.Errorf("merged %v, want %v", got, tt.want)
			}
		})
	}
}

func TestMergeDeadline(t *testing.T) {
	s := &Store{codec: newStoreCodec(nil)}
	at := func(h int) time.Time { return time.Date(2030, 1, 1, h, 0, 0, 0, time.UTC) }
	encode := func(deadline time.Time) []byte {
		b, err := Codec{}.Encode(deadline, map[string]any{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tests := map[string]struct {
		base, ours, theirs                time.Time // deadlines
		ourExpiry, theirExpiry, wantUntil time.Time
	}{
		"nobody changed it: the later expiry":               {at(9), at(9), at(9), at(3), at(4), at(4)},
		"they made it earlier":                              {at(9), at(9), at(2), at(3), at(2), at(2)},
		"they made it later":                                {at(9), at(9), at(12), at(3), at(4), at(4)},
		"we made it earlier, they extended the idle expiry": {at(9), at(2), at(9), at(2), at(4), at(2)},
		"we made it later":                                  {at(9), at(12), at(9), at(5), at(4), at(5)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m, err := s.merge3(encode(tt.base), encode(tt.ours), encode(tt.theirs))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.expiry(tt.ourExpiry, tt.theirExpiry); !got.Equal(tt.wantUntil) {
				t.Errorf("expires at %v, want %v", got, tt.wantUntil)
			}
		})
	}
}

func TestTouchSlack(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	deadline := now.Add(24 * time.Hour)
	data, err := Codec{}.Encode(deadline, map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		interval     time.Duration
		expiry, want time.Time
	}{
		"a tenth":              {0, now.Add(100 * time.Second), now.Add(110 * time.Second)},
		"at most a minute":     {0, now.Add(time.Hour), now.Add(61 * time.Minute)},
		"an interval given":    {5 * time.Minute, now.Add(time.Hour), now.Add(65 * time.Minute)},
		"no slack":             {-1, now.Add(time.Hour), now.Add(time.Hour)},
		"not past deadline":    {time.Hour, deadline.Add(-time.Minute), deadline},
		"absolute, no idle":    {0, deadline, deadline},
		"rounded up to the ms": {-1, now.Add(1500 * time.Microsecond), now.Add(2 * time.Millisecond)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := &Store{codec: newStoreCodec(nil), opts: Options{TouchInterval: tt.interval,
				Now: func() time.Time { return now }}}
			if got := s.withSlack(s.codec.span(data), tt.expiry); !got.Equal(tt.want) {
				t.Errorf("stored expiry %v, want %v", got.Sub(now), tt.want.Sub(now))
			}
		})
	}
}
