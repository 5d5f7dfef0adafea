package adapters

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// wantCandidates uses net/http to find what candidates must return.
func wantCandidates(lines []string, name string) []string {
	r := http.Request{Header: http.Header{"Cookie": lines}}
	var want []string
	for _, c := range r.CookiesNamed(name) {
		size := len(c.Value)
		if c.Quoted {
			size += len(`""`)
		}
		usable := c.Value != "" && size <= maxCookieBytes && !slices.Contains(want, c.Value)
		if usable && len(want) < maxCandidates {
			want = append(want, c.Value)
		}
	}
	return want
}

func TestCandidates(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("x", maxCookieBytes)
	for _, tt := range []struct {
		name  string
		lines []string
		want  []string
	}{
		{"none", nil, nil},
		{"one", []string{"session=a"}, []string{"a"}},
		{"among others", []string{"x=1; session=a; y=2"}, []string{"a"}},
		{"several", []string{"session=a; session=b; session=c"}, []string{"a", "b", "c"}},
		{"several lines", []string{"session=a", "session=b"}, []string{"a", "b"}},
		{"twice the same", []string{"session=a; session=a; session=b"}, []string{"a", "b"}},
		{
			"too many",
			[]string{"session=a; session=b; session=c; session=d; session=e"},
			[]string{"a", "b", "c", "d"},
		},
		{"empty", []string{"session=; session; session=a"}, []string{"a"}},
		{"quoted", []string{`session="a"`}, []string{"a"}},
		{"half quoted", []string{`session="a`}, nil},
		{"not printable", []string{"session=a\x7f; session=b\x00; session=ä"}, nil},
		{"spaces", []string{"  session =a ;session=b"}, []string{"a", "b"}},
		{"other case", []string{"Session=a; SESSION=b"}, nil},
		{"longer name", []string{"session2=a; xsession=b"}, nil},
		{"equals sign", []string{"session=a=b"}, []string{"a=b"}},
		{"too long", []string{"session=x" + longest}, nil},
		{"longest", []string{"session=" + longest}, []string{longest}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var dst [maxCandidates]string
			n, _, _ := candidates(dst[:], tt.lines, "session", maxCookieBytes)
			got := dst[:n]
			if !slices.Equal(got, tt.want) {
				t.Errorf("candidates: got %q, want %q", got, tt.want)
			}
			if want := wantCandidates(tt.lines, "session"); !slices.Equal(got, want) {
				t.Errorf("candidates: got %q, net/http has %q", got, want)
			}
		})
	}
}

// TestManyCookiesOfOthers tests that candidates reads at most maxCookies cookies, and reports if
// there are more.
func TestManyCookiesOfOthers(t *testing.T) {
	t.Parallel()
	for n, found := range map[int]bool{maxCookies - 1: true, maxCookies: false} {
		var dst [maxCandidates]string
		line := strings.Repeat("a=1; ", n) + "session=a"
		got, more, _ := candidates(dst[:], []string{line}, "session", maxCookieBytes)
		if (got == 1) != found || !found && !more {
			t.Errorf("after %d cookies: %d found, more %v", n, got, more)
		}
	}
}

func FuzzCookieCandidates(f *testing.F) {
	for _, line := range []string{
		"session=a", "x=1; session=a; y=2", "session=a; session=b", `session="a"; session=""`,
		"session", "=; ;session=;;", "session = a", "\tsession=a\t", "session=a\x00b",
		"session=a,b", "session=a b", `session=a\`, "session==", "séance=a; session=é",
	} {
		f.Add(line, "", "session")
	}
	f.Add("session=a", "session=b", "session")
	f.Add("a!#$%&'*+-.^_`|~=1", "", "a!#$%&'*+-.^_`|~")
	f.Fuzz(func(t *testing.T, first, second, name string) {
		// NewLifecycle refuses invalid names, and net/http refuses thousands of cookies.
		valid := (&http.Cookie{Name: name, Value: "x"}).Valid() == nil
		if !valid || strings.Count(first+second, ";") > 1000 {
			t.Skip()
		}
		lines := []string{first, second}
		var dst [maxCandidates]string
		n, _, _ := candidates(dst[:], lines, name, maxCookieBytes)
		got := dst[:n]
		if want := wantCandidates(lines, name); !slices.Equal(got, want) {
			t.Errorf("candidates of %q in %q: got %q, net/http has %q", name, lines, got, want)
		}
	})
}
