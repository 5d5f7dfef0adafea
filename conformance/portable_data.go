package conformance

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableDataChecks cover the types that the codec keeps, and the limits on the size of data.
var portableDataChecks = []check{
	{"data/types", LevelPortable, dataTypes,
		"the codec returns every type that it supports as the same type"},
	{"data/changed-in-place", LevelPortable, dataChangedInPlace,
		"bytes that a handler changes in place and puts again are a " +
			"change: the store keeps its own copy"},
	{"data/registered-struct", LevelPortable, dataRegisteredStruct,
		"the codec returns a type that the application has registered " +
			"with gob.Register as the same type"},
	{"data/too-large", LevelPortable, dataTooLarge,
		"data over the limit is refused with a *driver.TooLargeError, and the stored data stays"},
	{"data/limit-exact", LevelPortable, dataLimitExact,
		"limits count bytes, not characters: data of exactly the limit is stored"},
	{"data/too-large-merged", LevelPortable, dataTooLargeMerged,
		"a merge whose result is over the limit is refused, and the stored data stays"},
	{"data/backend-limit", LevelPortable, dataBackendLimit,
		"the limit of the backend applies if it is lower than Options.MaxSize"},
}

// profile is an application's type.
type profile struct {
	Name  string
	Roles []string
	Since time.Time
}

func dataTypes(t *checkT) {
	when := time.Date(2031, 5, 6, 7, 8, 9, 123456789, time.UTC)
	values := map[string]any{
		"string": "päivää", "empty string": "", "not utf-8": "\xff\x00",
		"bytes": []byte{0, 1, 255}, "true": true, "false": false,
		"int": -42, "int8": int8(math.MinInt8), "int16": int16(math.MinInt16),
		"int32": int32(math.MinInt32), "int64": int64(math.MinInt64),
		"uint": uint(42), "uint8": uint8(math.MaxUint8), "uint16": uint16(math.MaxUint16),
		"uint32": uint32(math.MaxUint32), "uint64": uint64(math.MaxUint64),
		"float32": float32(1.5), "float64": math.Pi, "infinity": math.Inf(-1),
		"time": when, "duration": 90 * time.Second,
		"strings": []string{"a", ""}, "list": []any{"a", 1, int64(2), nil, []byte("b")},
		"map":            map[string]any{"a": 1, "b": map[string]any{"c": []string{"d"}}},
		"map of strings": map[string]string{"a": "b"},
		"nil":            nil,
	}
	s, _ := t.newPortable(nil)
	sm := manager(s)
	r := t.request(sm, "")
	for key, value := range values {
		sm.Put(r.ctx, key, value)
	}
	token, _ := r.end()
	r = t.request(sm, token)
	for key, want := range values {
		got := sm.Get(r.ctx, key)
		if at, ok := got.(time.Time); ok && at.Equal(when) {
			continue
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: put %T(%v), got %T(%v)", key, want, want, got, got)
		}
	}
	if n := len(sm.Keys(r.ctx)); n != len(values) {
		t.Errorf("%d keys, want %d", n, len(values))
	}
}

func dataChangedInPlace(t *checkT) {
	s, _ := t.newPortable(nil)
	sm := manager(s)
	token := t.begin(sm, "bytes", []byte("before"))
	r := t.request(sm, token)
	b, _ := sm.Get(r.ctx, "bytes").([]byte)
	copy(b, "behind")
	sm.Put(r.ctx, "bytes", b)
	if _, state := r.end(); state != scskit.CommitStored {
		t.Errorf("commit: state %d, want Stored", state)
	}
	if v := t.values(s, token); fmt.Sprintf("%s", v["bytes"]) != "behind" {
		t.Errorf("the session holds %s, want behind", v["bytes"])
	}
}

func dataRegisteredStruct(t *checkT) {
	gob.Register(profile{})
	s, _ := t.newPortable(nil)
	sm := manager(s)
	want := profile{Name: "ada", Roles: []string{"admin"},
		Since: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	token := t.begin(sm, "profile", want, "plain", 1)
	r := t.request(sm, token)
	if got := sm.Get(r.ctx, "profile"); !reflect.DeepEqual(got, want) {
		t.Errorf("put %T(%v), got %T(%v)", want, want, got, got)
	}
}

// wantTooLarge checks that err is a *driver.TooLargeError with these numbers.
func (t *checkT) wantTooLarge(err error, size, limit int) {
	t.Helper()
	var tooLarge *driver.TooLargeError
	if !errors.Is(err, driver.ErrTooLarge) || !errors.As(err, &tooLarge) {
		t.Fatalf("commit: got error %v, want driver.ErrTooLarge", err)
	}
	if tooLarge.Size != size || tooLarge.Limit != limit {
		t.Errorf("commit of %d bytes, limit %d: the error has %d and %d", size, limit,
			tooLarge.Size, tooLarge.Limit)
	}
}

func dataTooLarge(t *checkT) {
	const limit = 1000
	s, _ := t.newPortable(&scskit.Options{MaxSize: limit})
	token := newToken()
	old := t.encode(map[string]any{"k": 1})
	for _, ctx := range []context.Context{t.Context(), scskit.WithTracker(t.Context())} {
		t.commit(s, token, old, in(lifetime))
		if _, _, err := s.FindCtx(ctx, token); err != nil {
			t.Fatalf("find: %v", err)
		}
		big := t.encode(map[string]any{"k": strings.Repeat("x", 2*limit)})
		t.wantTooLarge(s.CommitCtx(ctx, token, big, in(lifetime)), len(big), limit)
		t.wantData(s, token, old)
		t.wantTooLarge(s.CommitCtx(ctx, newToken(), big, in(lifetime)), len(big), limit)
	}
}

func dataLimitExact(t *checkT) {
	data := t.encode(map[string]any{"k": strings.Repeat("€", 300)}) // three bytes each
	s, _ := t.newPortable(&scskit.Options{MaxSize: len(data)})
	token := newToken()
	t.commit(s, token, data, in(lifetime))
	t.wantData(s, token, data)

	less, _ := t.newPortable(&scskit.Options{MaxSize: len(data) - 1})
	t.wantTooLarge(less.CommitCtx(t.Context(), token, data, in(lifetime)), len(data), len(data)-1)
	t.wantNone(less, token)
}

func dataTooLargeMerged(t *checkT) {
	const limit = 1000
	s, _ := t.newPortable(&scskit.Options{MaxSize: limit})
	sm := manager(s)
	token := t.begin(sm, "k", 1)
	one, two := t.request(sm, token), t.request(sm, token)
	half := strings.Repeat("x", limit*6/10)
	sm.Put(one.ctx, "one", half)
	sm.Put(two.ctx, "two", half)
	one.end()
	if _, _, err := sm.Commit(two.ctx); !errors.Is(err, driver.ErrTooLarge) {
		t.Errorf("commit: got error %v, want driver.ErrTooLarge", err)
	}
	t.wantValues(t.values(s, token), fmt.Sprint(map[string]any{"k": 1, "one": half}))
}

func dataBackendLimit(t *checkT) {
	const most = 32 << 20
	s, d := t.newPortable(&scskit.Options{MaxSize: most})
	limit := d.MaxData()
	if limit >= most {
		t.notApplicable("the driver does not implement driver.SizeLimiter, or its limit is over 32 MiB")
	}
	token := newToken()
	t.commit(s, token, []byte("small"), in(lifetime))
	saves := d.count("save")
	t.wantTooLarge(s.CommitCtx(t.Context(), token, bytes.Repeat([]byte{'x'}, limit+1), in(lifetime)),
		limit+1, limit)
	if d.count("save") != saves {
		t.Error("the driver was called to save data over its limit")
	}
	t.wantData(s, token, []byte("small"))
}
