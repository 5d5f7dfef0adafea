package scskit

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/scskit/scskit/internal/codec"
)

// MergeFunc merges the values of one session key that two requests have changed at the same time.
// base is the value that this request loaded, theirs the one that is stored now, and ours the one
// that this request commits. A value that does not exist is nil: base for a key that is new, and
// theirs or ours for one that was removed. The result is stored under the key; nil removes it.
//
// A value may be of any type that programs store under the key, and an Unknown during a rolling
// deploy. The function may change its arguments and return one of them. It must be fast and safe
// for concurrent use, and must not use a session manager: the request's session is locked. It may
// run several times for one commit, each time with newer values of theirs. If it panics, or returns
// a value that cannot be encoded, the commit fails and stores nothing.
//
// After a lost reply of the backend, a commit may be merged with what it has itself stored, if
// another request has changed the session in between. MergeSum then counts it twice. The other
// functions of this package do not.
type MergeFunc func(base, theirs, ours any) any

// MergeFirst keeps the change that was stored first. Use it for a right that UpdateSessionsOf takes
// away: a request that runs at the same time does not bring it back.
func MergeFirst(_, theirs, _ any) any { return theirs }

// MergeSum adds up the changes of a number, such as a counter. The type is that of ours. A value
// that does not exist counts as 0. If a value is no integer or float, or the types differ, the
// result is ours.
func MergeSum(base, theirs, ours any) any {
	if ours == nil {
		return nil
	}
	t := reflect.TypeOf(ours)
	sum := reflect.New(t).Elem()
	b, okB := numberOf(base, t)
	s, okS := numberOf(theirs, t)
	o := reflect.ValueOf(ours)
	switch {
	case !okB || !okS:
		return ours
	case o.CanInt():
		sum.SetInt(s.Int() + o.Int() - b.Int())
	case o.CanUint():
		sum.SetUint(s.Uint() + o.Uint() - b.Uint())
	case o.CanFloat():
		sum.SetFloat(s.Float() + o.Float() - b.Float())
	default:
		return ours
	}
	return sum.Interface()
}

// numberOf returns v as a value of type t, or the zero value for nil.
func numberOf(v any, t reflect.Type) (reflect.Value, bool) {
	if v == nil {
		return reflect.Zero(t), true
	}
	return reflect.ValueOf(v), reflect.TypeOf(v) == t
}

// MergeMaps merges maps with string keys by their keys, as a commit merges sessions: this request's
// additions, changes and removals win, and all other entries are those of theirs. If a value is no
// such map, or the types of theirs and ours differ, the result is ours.
func MergeMaps(base, theirs, ours any) any {
	t, o := reflect.ValueOf(theirs), reflect.ValueOf(ours)
	if !isMap(t) || !isMap(o) || t.Type() != o.Type() {
		return ours
	}
	b := reflect.ValueOf(base)
	if base != nil && (!isMap(b) || b.Type() != o.Type()) {
		return ours
	}
	entry := func(m, key reflect.Value) reflect.Value {
		if !m.IsValid() {
			return m
		}
		return m.MapIndex(key)
	}
	merged := reflect.MakeMap(o.Type())
	for _, key := range t.MapKeys() {
		was, is := entry(b, key), o.MapIndex(key)
		if is.IsValid() || !was.IsValid() {
			merged.SetMapIndex(key, t.MapIndex(key))
		}
	}
	for _, key := range o.MapKeys() {
		was, is := entry(b, key), o.MapIndex(key)
		if !was.IsValid() || !codec.Equal(was.Interface(), is.Interface()) {
			merged.SetMapIndex(key, is)
		}
	}
	return merged.Interface()
}

func isMap(v reflect.Value) bool {
	return v.IsValid() && v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String
}

// MergeSets merges slices whose elements are a set: what this request has added is appended to
// theirs, and what it has removed is removed from theirs. If a value is no slice, or the types of
// theirs and ours differ, the result is ours.
func MergeSets(base, theirs, ours any) any {
	t, o := reflect.ValueOf(theirs), reflect.ValueOf(ours)
	if !isSlice(t) || !isSlice(o) || t.Type() != o.Type() {
		return ours
	}
	b := reflect.ValueOf(base)
	if base != nil && (!isSlice(b) || b.Type() != o.Type()) {
		return ours
	}
	merged := reflect.MakeSlice(o.Type(), 0, t.Len()+o.Len())
	for i := range t.Len() {
		if e := t.Index(i); contains(o, e) || !contains(b, e) {
			merged = reflect.Append(merged, e)
		}
	}
	for i := range o.Len() {
		if e := o.Index(i); !contains(b, e) && !contains(merged, e) {
			merged = reflect.Append(merged, e)
		}
	}
	return merged.Interface()
}

func isSlice(v reflect.Value) bool { return v.IsValid() && v.Kind() == reflect.Slice }

func contains(list, e reflect.Value) bool {
	if !list.IsValid() {
		return false
	}
	for i := range list.Len() {
		if codec.Equal(list.Index(i).Interface(), e.Interface()) {
			return true
		}
	}
	return false
}

// checkMerge returns an error for an unusable Options.Merge.
func (o *Options) checkMerge() error {
	for key, f := range o.Merge {
		switch {
		case f == nil:
			return fmt.Errorf("scskit: Options.Merge[%q] is nil: leave the key out", key)
		case key == o.UserKey:
			return fmt.Errorf("scskit: Options.Merge[%q] is the UserKey: the user of a session is not "+
				"merged; leave the key out", key)
		}
	}
	return nil
}

// mergeValues returns the results of Options.Merge for the keys that both sides have changed.
func (s *Store) mergeValues(base, theirs, ours map[string]any,
	overwrites []string) (merged map[string]any, err error) {
	for key, f := range s.opts.Merge {
		b, inBase := base[key]
		t, inTheirs := theirs[key]
		o, inOurs := ours[key]
		if slices.Contains(overwrites, key) || inOurs == inBase && codec.Equal(o, b) ||
			inTheirs == inBase && codec.Equal(t, b) {
			continue
		}
		v, err := callMerge(key, f, b, t, o)
		if err != nil {
			return nil, err
		}
		if merged == nil {
			merged = make(map[string]any)
		}
		merged[key] = v
	}
	return merged, nil
}

// callMerge calls f. The text of a panic may hold session data, so the error has only its type.
func callMerge(key string, f MergeFunc, base, theirs, ours any) (v any, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("Options.Merge[%q] panicked with a %T: make it accept values of any type "+
				"and nil", key, p)
		}
	}()
	return f(base, theirs, ours), nil
}
