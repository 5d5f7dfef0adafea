package adapters

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// wantCandidates says by net/http what candidates must find.
func wantCandidates(lines []string, name string) []string {
	r := http.Request{Header: http.Header{"Cookie": lines}}
	var want []string
	for _, c := range r.CookiesNamed(name) {
		size := len(c.Value)
		if c.Quoted {
			size += len(`""`)
		}
		if c.Value == "" || size > maxCookieBytes || slices.Contains(want, c.Value) ||
			len(want) == maxCandidates {
			continue
		}
		want = append(want, c.Value)
	}
	return want
}

func TestCandidates(t *testing.T) {
	t.Parallel()
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
		{"more than are tried", []string{"session=a; session=b; session=c; session=d; session=e"},
			[]string{"a", "b", "c", "d"}},
		{"empty", []string{"session=; session; session=a"}, []string{"a"}},
		{"quoted", []string{`session="a"`}, []string{"a"}},
		{"half quoted", []string{`session="a`}, nil},
		{"not printable", []string{"session=a\x7f; session=b\x00; session=ä"}, nil},
		{"spaces", []string{"  session =a ;session=b"}, []string{"a", "b"}},
		{"other case", []string{"Session=a; SESSION=b"}, nil},
		{"longer name", []string{"session2=a; xsession=b"}, nil},
		{"equals sign", []string{"session=a=b"}, []string{"a=b"}},
		{"too long", []string{"session=" + strings.Repeat("x", maxCookieBytes+1)}, nil},
		{"longest", []string{"session=" + strings.Repeat("x", maxCookieBytes)},
			[]string{strings.Repeat("x", maxCookieBytes)}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var dst [maxCandidates]string
			n, _ := candidates(dst[:], tt.lines, "session")
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

// TestManyCookiesOfOthers: no more cookies are looked at than net/http takes, and what was not
// looked at may be the session's.
func TestManyCookiesOfOthers(t *testing.T) {
	t.Parallel()
	for n, found := range map[int]bool{maxCookies - 1: true, maxCookies: false} {
		var dst [maxCandidates]string
		got, more := candidates(dst[:], []string{strings.Repeat("a=1; ", n) + "session=a"}, "session")
		if (got == 1) != found || !found && !more {
			t.Errorf("behind %d cookies: %d found, more %v", n, got, more)
		}
	}
}

func FuzzCookieCandidates(f *testing.F) {
	for _, line := range []string{
		"session=a", "x=1; session=a; y=2", "session=a; session=b", `session="a"; session=""`, "session",
		"=; ;session=;;",
		"session = a", "\tsession=a\t", "session=a\x00b", "session=a,b", "session=a b", `session=a\`,
		"session==", "séance=a; session=é",
	} {
		f.Add(line, "", "session")
	}
	f.Add("session=a", "session=b", "session")
	f.Add("a!#$%&'*+-.^_`|~=1", "", "a!#$%&'*+-.^_`|~")
	f.Fuzz(func(t *testing.T, first, second, name string) {
		// The middleware is not built for a name that is no token, and net/http
		// refuses headers with thousands of cookies.
		if (&http.Cookie{Name: name, Value: "x"}).Valid() != nil ||
			strings.Count(first+second, ";") > 1000 {
			t.Skip()
		}
		lines := []string{first, second}
		var dst [maxCandidates]string
		n, _ := candidates(dst[:], lines, name)
		got := dst[:n]
		if want := wantCandidates(lines, name); !slices.Equal(got, want) {
			t.Errorf("candidates of %q in %q: got %q, net/http has %q", name, lines, got, want)
		}
	})
}
