package signin

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	for _, f := range []Facts{
		{At: time.UnixMilli(1764190000123).UTC()},
		{Idle: 15 * time.Minute},
		{User: "abc", At: time.UnixMilli(1).UTC(), Idle: time.Millisecond, Label: `"idle":7 <b> ☃`,
			UserAgent: "Mozilla/5.0 (X11; Linux)", Address: "2001:db8::1"},
	} {
		got, ok := Parse(f.Encode())
		got.other = nil
		if !ok || !reflect.DeepEqual(got, f) {
			t.Errorf("%+v came back as %+v, %v", f, got, ok)
		}
		if idle := Idle(f.Encode()); idle != f.Idle {
			t.Errorf("idle timeout of %+v: got %v", f, idle)
		}
	}
	if text := new(Facts).Encode(); text != "" {
		t.Errorf("empty facts: got %q", text)
	}
	if f, ok := Parse((&Facts{Idle: 1}).Encode()); !ok || f.Idle != time.Millisecond {
		t.Errorf("an idle timeout of 1 ns: got %v, want 1 ms", f.Idle)
	}
}

// TestLater reads a value of a later version and writes it again.
func TestLater(t *testing.T) {
	t.Parallel()
	f, ok := Parse(`{"at":5,"device":{"id":[1,2]},"label":"a"}`)
	if !ok || f.Label != "a" {
		t.Fatalf("got %+v, %v", f, ok)
	}
	f.Label = "b"
	if got, want := f.Encode(), `{"at":5,"device":{"id":[1,2]},"label":"b"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestHostile(t *testing.T) {
	t.Parallel()
	for _, value := range []any{nil, 5, true, []byte("{}"), "", "null", "[]", "5", "{", `{"at":5}}`,
		`{"label":"` + strings.Repeat("x", maxValue) + `"}`, strings.Repeat(`{"a":`, 2000)} {
		if f, ok := Parse(value); ok {
			t.Errorf("%.20v: got %+v", value, f)
		}
	}
	f, ok := Parse(`{"at":-1,"idle":1e300,"label":[1],"agent":null,"address":{},"user":7}`)
	f.other = nil
	if !ok || !reflect.DeepEqual(f, Facts{}) {
		t.Errorf("invalid fields: got %+v, %v", f, ok)
	}
	if f, _ := Parse(`{"IDLE":5,"Idle":5}`); f.Idle != 0 {
		t.Errorf("names in another case: got %+v", f)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text  string
		limit int
		want  string
	}{
		{"Work laptop", 100, "Work laptop"},
		{"a\x00b\r\n\x1b[31mc\u0085", 100, "ab[31mc"},
		{"ééé", 5, "éé"},
		{"☃☃", 2, ""},
		{"a\xffb", 100, "a\ufffdb"},
		{strings.Repeat("x", 1000), 10, strings.Repeat("x", 10)},
	} {
		if got := Clean(c.text, c.limit); got != c.want {
			t.Errorf("Clean(%q, %d) = %q, want %q", c.text, c.limit, got, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`{"at":1764190000123,"idle":900000,"label":"Work laptop","agent":"x","address":"::1"}`)
	f.Add(`{"idle":1e3,"at":null,"x":{"idle":5}}`)
	f.Add(`{"label":"\ud800\u0000\"idle\":"}`)
	f.Fuzz(func(t *testing.T, text string) {
		facts, ok := Parse(text)
		if !ok {
			return
		}
		for _, s := range []struct {
			text  string
			limit int
		}{{facts.Label, MaxLabel}, {facts.UserAgent, MaxUserAgent}, {facts.Address, MaxAddress}} {
			if len(s.text) > s.limit || !utf8.ValidString(s.text) {
				t.Errorf("a text of %d bytes: %q", len(s.text), s.text)
			}
		}
		if facts.Idle < 0 || facts.Idle > maxIdle {
			t.Errorf("idle timeout %v", facts.Idle)
		}
		again := facts.Encode()
		if len(again) > maxValue || again == "" {
			return // unknown fields may grow when they are encoded again
		}
		got, ok := Parse(again)
		got.other, facts.other = nil, nil
		if !ok || !reflect.DeepEqual(got, facts) {
			t.Errorf("%+v came back as %+v", facts, got)
		}
		if Idle(again) != facts.Idle {
			t.Errorf("Idle returns %v, Parse %v", Idle(again), facts.Idle)
		}
	})
}

// TestMerge merges a sign-in, or a change of the timeout, with what another request has stored.
func TestMerge(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1_000_000).UTC()
	base := Facts{User: "ada", At: at, Idle: time.Hour, Label: "old"}
	again := Facts{User: "ada", At: at.Add(time.Minute), Idle: time.Hour, Label: "new"}
	shorter := Facts{User: "ada", At: at, Idle: time.Minute, Label: "old"}
	value := func(f Facts) any {
		if text := f.Encode(); text != "" {
			return text
		}
		return nil
	}
	for name, tt := range map[string]struct{ theirs, ours, want Facts }{
		"a sign-in keeps a new timeout": {shorter, again,
			Facts{User: "ada", At: again.At, Idle: time.Minute, Label: "new"}},
		"a sign-in restores what was removed": {Facts{}, again,
			Facts{User: "ada", At: again.At, Label: "new"}},
		"a new timeout keeps a sign-in": {again, shorter,
			Facts{User: "ada", At: again.At, Idle: time.Minute, Label: "new"}},
		"a sign-in with a timeout of its own": {
			shorter, Facts{User: "ada", At: again.At, Life: time.Hour},
			Facts{User: "ada", At: again.At, Life: time.Hour}},
		"nothing is left": {Facts{}, Facts{Idle: 0, User: "ada", At: at}, Facts{}},
	} {
		if got := Merge(value(base), value(tt.theirs), value(tt.ours)); got != value(tt.want) {
			t.Errorf("%s: got %v, want %v", name, got, value(tt.want))
		}
	}
}
