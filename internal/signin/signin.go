// Package signin defines the session value in which scskit.SignIn notes its facts. It is one string
// of JSON, so that every codec can encode it.
package signin

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Key is the session key of the facts.
const Key = "__signIn"

// The longest texts in bytes. Longer ones are cut.
const (
	MaxLabel     = 100
	MaxUserAgent = 256
	MaxAddress   = 64
)

const (
	maxValue  = 8 << 10 // of an encoded value; JSON may write six bytes for one
	maxFields = 32
	maxIdle   = 10 * 365 * 24 * time.Hour

	maxMilli = 253402300799999 // the end of the year 9999
)

// The names of the fields. They are part of the stored format.
const (
	fieldUser      = "user"
	fieldAt        = "at"
	fieldIdle      = "idle"
	fieldLife      = "life"
	fieldLabel     = "label"
	fieldUserAgent = "agent"
	fieldAddress   = "address"
)

// idlePrefix is in every value that Encode returns for facts with an Idle, and in no other: JSON
// escapes the quotes inside a string.
const idlePrefix = `"` + fieldIdle + `":`

// Facts are what a session notes about its sign-in. The zero value says nothing.
type Facts struct {
	User  string        // the start of the hash of the user who signed in
	At    time.Time     // of the authentication, in milliseconds; zero if unknown
	Idle  time.Duration // the session's own idle timeout, in milliseconds; 0 if it has none
	Life  time.Duration // the session's own lifetime, in milliseconds; 0 if it has none
	Label string

	UserAgent, Address string

	other map[string]json.RawMessage // fields of a later version
}

// Parse returns the facts in a session value. ok is false if there are none. A field that is
// invalid counts as absent. Texts come back within their limits.
func Parse(value any) (f Facts, ok bool) {
	text, _ := value.(string)
	if text == "" || len(text) > maxValue {
		return Facts{}, false
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &fields) != nil || fields == nil || len(fields) > maxFields {
		return Facts{}, false
	}
	f.User = take(fields, fieldUser, MaxAddress)
	f.Label = take(fields, fieldLabel, MaxLabel)
	f.UserAgent = take(fields, fieldUserAgent, MaxUserAgent)
	f.Address = take(fields, fieldAddress, MaxAddress)
	if ms := takeMilli(fields, fieldAt, maxMilli); ms > 0 {
		f.At = time.UnixMilli(ms).UTC()
	}
	f.Idle = time.Duration(takeMilli(fields, fieldIdle, maxIdle.Milliseconds())) * time.Millisecond
	f.Life = time.Duration(takeMilli(fields, fieldLife, maxIdle.Milliseconds())) * time.Millisecond
	f.other = fields
	return f, true
}

// take removes a field and returns its text.
func take(fields map[string]json.RawMessage, name string, limit int) string {
	var text string
	if raw, ok := fields[name]; ok && json.Unmarshal(raw, &text) != nil {
		text = ""
	}
	delete(fields, name)
	return Clean(text, limit)
}

// takeMilli removes a field and returns its number, or 0 if that is not between 1 and limit.
func takeMilli(fields map[string]json.RawMessage, name string, limit int64) int64 {
	var n int64
	if raw, ok := fields[name]; ok && (json.Unmarshal(raw, &n) != nil || n < 0 || n > limit) {
		n = 0
	}
	delete(fields, name)
	return n
}

// Encode returns the session value for the facts, or "" if they are empty. Parse reads it back,
// with the fields of a later version.
func (f *Facts) Encode() string {
	fields := make(map[string]any, 6+len(f.other))
	for name, raw := range f.other {
		fields[name] = raw
	}
	for name, text := range map[string]string{
		fieldUser:      Clean(f.User, MaxAddress),
		fieldLabel:     Clean(f.Label, MaxLabel),
		fieldUserAgent: Clean(f.UserAgent, MaxUserAgent),
		fieldAddress:   Clean(f.Address, MaxAddress),
	} {
		if text != "" {
			fields[name] = text
		}
	}
	if !f.At.IsZero() {
		fields[fieldAt] = f.At.UnixMilli()
	}
	if f.Idle > 0 {
		fields[fieldIdle] = ceilMilli(min(f.Idle, maxIdle))
	}
	if f.Life > 0 {
		fields[fieldLife] = ceilMilli(min(f.Life, maxIdle))
	}
	if len(fields) == 0 {
		return ""
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // it only makes the value longer
	if err := e.Encode(fields); err != nil {
		return "" // unreachable: raw fields come from valid JSON
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func ceilMilli(d time.Duration) int64 {
	return int64((d + time.Millisecond - 1) / time.Millisecond)
}

// Idle returns the idle timeout in a session value, or 0 if there is none. It parses only values
// that have one.
func Idle(value any) time.Duration {
	text, _ := value.(string)
	if !strings.Contains(text, idlePrefix) {
		return 0
	}
	f, _ := Parse(text)
	return f.Idle
}

// IdleIn is Idle for the bytes of a value.
func IdleIn(text []byte) time.Duration {
	if !bytes.Contains(text, []byte(idlePrefix)) {
		return 0
	}
	return Idle(string(text))
}

// Clean returns valid UTF-8 of at most limit bytes. It removes control characters, and cuts between
// characters.
func Clean(text string, limit int) string {
	text = text[:min(len(text), 4*limit)] // the rest cannot matter much, and may be long
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r // utf8.RuneError for an invalid byte
	}, text)
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// Merge merges the values of two requests that have changed the facts at the same time, as a
// scskit.MergeFunc. A sign-in by ours replaces all but the timeouts. Of those, and without a
// sign-in, the ones that ours has changed win.
func Merge(base, theirs, ours any) any {
	b, _ := Parse(base)
	t, _ := Parse(theirs)
	o, _ := Parse(ours)
	merged := t
	if o.User != b.User || !o.At.Equal(b.At) {
		merged = o
	}
	merged.Idle, merged.Life = t.Idle, t.Life
	if o.Idle != b.Idle {
		merged.Idle = o.Idle
	}
	if o.Life != b.Life {
		merged.Life = o.Life
	}
	if text := merged.Encode(); text != "" {
		return text
	}
	return nil
}
