package scskit_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/scskit/scskit"
)

func TestMergeFuncs(t *testing.T) {
	type m = map[string]any
	for _, tc := range []struct {
		f                        scskit.MergeFunc
		base, theirs, ours, want any
	}{
		{scskit.MergeSum, 1, 2, 2, 3},
		{scskit.MergeSum, nil, 2, 2, 4},
		{scskit.MergeSum, 1, "x", 2, 2},
		{scskit.MergeSum, 1, 2, nil, nil},
		{scskit.MergeSum, 1.5, 2.5, 3.5, 4.5},
		{scskit.MergeFirst, 1, 2, 3, 2},
		{scskit.MergeMaps, m{"a": 1, "b": 1, "c": 1}, m{"a": 2, "b": 1, "t": 1},
			m{"a": 1, "c": 1, "o": 1},
			m{"a": 2, "t": 1, "o": 1}},
		{scskit.MergeMaps, nil, m{"t": 1}, m{"o": nil}, m{"t": 1, "o": nil}},
		{scskit.MergeMaps, nil, 1, m{"o": 1}, m{"o": 1}},
		{scskit.MergeSets, []string{"a", "b"}, []string{"a", "b", "t"}, []string{"b", "o"},
			[]string{"b", "t", "o"}},
		{scskit.MergeSets, nil, []string{"x"}, []string{"x", "y"}, []string{"x", "y"}},
		{scskit.MergeSets, nil, nil, []string{"x"}, []string{"x"}},
	} {
		if got := tc.f(tc.base, tc.theirs, tc.ours); !deepEqual(got, tc.want) {
			t.Errorf("%v, %v, %v: got %v, want %v", tc.base, tc.theirs, tc.ours, got, tc.want)
		}
	}
}

func TestMergeOption(t *testing.T) {
	var f scskit.MergeFunc = scskit.MergeSum
	s := userStore(t, scskit.Options{Merge: map[string]scskit.MergeFunc{
		"n": func(b, t, o any) any { return f(b, t, o) },
	}})
	sm := scskit.New(s)
	if err := commitSession(t, s, "token", map[string]any{"n": 0}); err != nil {
		t.Fatal(err)
	}
	commit := func() (string, error) {
		a, b := loadTracked(t, sm, "token"), loadTracked(t, sm, "token")
		_ = increment(sm)(a)
		_ = increment(sm)(b)
		if _, _, err := sm.Commit(a); err != nil {
			t.Fatal(err)
		}
		token, _, err := sm.Commit(b)
		return token, err
	}
	if _, err := commit(); err != nil || storedValues(t, s, "token")["n"] != 2 {
		t.Errorf("got %v, %v", storedValues(t, s, "token"), err)
	}
	for name, bad := range map[string]scskit.MergeFunc{
		"panicked": func(_, _, _ any) any { panic("secret") },
		"chan":     func(_, _, _ any) any { return make(chan int) },
	} {
		f = bad
		if _, err := commit(); err == nil || !strings.Contains(err.Error(), name) ||
			strings.Contains(err.Error(), "secret") {
			t.Errorf("got error %v", err)
		}
	}
	a, b := loadTracked(t, sm, "token"), loadTracked(t, sm, "token")
	f = scskit.MergeSum
	was := storedValues(t, s, "token")["n"].(int)
	_, _ = increment(sm)(a), increment(sm)(b)
	if _, _, err := sm.Commit(a); err != nil {
		t.Fatal(err)
	}
	if err := sm.RenewToken(b); err != nil {
		t.Fatal(err)
	}
	token, _, err := sm.Commit(b)
	if err != nil {
		t.Fatal(err)
	}
	if n := storedValues(t, s, token)["n"]; n != was+2 {
		t.Errorf("renewal: got %v, want %d", n, was+2)
	}
}

// MergeSession copies the values of the source. What others change meanwhile, in the source or in
// the target, is merged by the functions of Options.Merge.
func TestMergeOptionAndMergeSession(t *testing.T) {
	for _, tc := range []struct {
		name                  string
		target, source, after int // increments by others, and by the request after MergeSession
		want                  int
	}{
		{name: "nobody else", want: 10},
		{name: "the target has changed", target: 1, want: 11},
		{name: "the source has changed", source: 1, want: 11},
		{name: "both have changed", target: 1, source: 2, want: 13},
		{name: "all have changed", target: 1, source: 2, after: 4, want: 17},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := userStore(t, scskit.Options{Merge: map[string]scskit.MergeFunc{"n": scskit.MergeSum}})
			sm := scskit.New(s)
			for token, n := range map[string]int{"target": 3, "source": 10} {
				if err := commitSession(t, s, token, map[string]any{"n": n}); err != nil {
					t.Fatal(err)
				}
			}
			ctx := loadTracked(t, sm, "target")
			if err := sm.MergeSession(ctx, "source"); err != nil {
				t.Fatal(err)
			}
			sm.Put(ctx, "n", sm.GetInt(ctx, "n")+tc.after)
			for token, by := range map[string]int{"target": tc.target, "source": tc.source} {
				for range by {
					if err := scskit.Update(loadTracked(t, sm, token), sm, increment(sm)); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, _, err := sm.Commit(ctx); err != nil {
				t.Fatal(err)
			}
			if n := storedValues(t, s, "target")["n"]; n != tc.want {
				t.Errorf("got %v, want %d", n, tc.want)
			}
			if _, found, err := s.Find("source"); found || err != nil {
				t.Errorf("the source: %v, %v", found, err)
			}
		})
	}
}

func deepEqual(a, b any) bool { return reflect.DeepEqual(a, b) }
