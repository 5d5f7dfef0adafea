package adapters

import (
	"crypto/rand"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/cookiestore"
)

func TestFind(t *testing.T) {
	t.Parallel()
	longest := strings.Repeat("x", maxTokenBytes)
	header, bearer := InHeader("X-Session-Token"), InBearer("")
	for _, tt := range []struct {
		name       string
		transport  Transport
		lines      []string
		token      string
		sent, used bool
	}{
		{"no line", header, nil, "", false, false},
		{"empty", header, []string{""}, "", false, true},
		{"spaces", header, []string{" \t "}, "", false, true},
		{"a token", header, []string{"aZ09-._~+/=="}, "aZ09-._~+/==", true, true},
		{"a token in spaces", header, []string{" a\t"}, "a", true, true},
		{"padding alone", header, []string{"=="}, "", true, true},
		{"padding inside", header, []string{"a=b"}, "", true, true},
		{"two words", header, []string{"a b"}, "", true, true},
		{"a list", header, []string{"a,b"}, "", true, true},
		{"quoted", header, []string{`"a"`}, "", true, true},
		{"a zero byte", header, []string{"a\x00"}, "", true, true},
		{"not ASCII", header, []string{"ä"}, "", true, true},
		{"two lines", header, []string{"a", "a"}, "", true, true},
		{"longest", header, []string{longest}, longest, true, true},
		{"too long", header, []string{longest + "x"}, "", true, true},
		{"too much padding", header, []string{longest + "="}, "", true, true},
		{"a scheme in the header", header, []string{"Bearer a"}, "", true, true},

		{"no authorization", bearer, nil, "", false, false},
		{"bearer", bearer, []string{"Bearer a"}, "a", true, true},
		{"in lower case", bearer, []string{"bearer a"}, "a", true, true},
		{"several spaces", bearer, []string{"Bearer   a "}, "a", true, true},
		{"a tab", bearer, []string{"Bearer\ta"}, "", false, false},
		{"no credentials", bearer, []string{"Bearer"}, "", false, true},
		{"a space for credentials", bearer, []string{"Bearer "}, "", false, true},
		{"another scheme", bearer, []string{"Basic YTpi"}, "", false, false},
		{"a longer scheme", bearer, []string{"BearerX a"}, "", false, false},
		{"no scheme", bearer, []string{"a"}, "", false, false},
		{"an empty line", bearer, []string{""}, "", false, false},
		{"parameters", bearer, []string{"Bearer a, b=c"}, "", true, true},
		{"two credentials", bearer, []string{"Bearer a", "Bearer b"}, "", true, true},
		{"a long one", bearer, []string{"Bearer " + longest + "x"}, "", true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			token, sent, used := tt.transport.find(tt.lines)
			if token != tt.token || sent != tt.sent || used != tt.used {
				t.Errorf("find: got %q, %v, %v, want %q, %v, %v", token, sent, used, tt.token, tt.sent,
					tt.used)
			}
		})
	}
}

// FuzzHeaderToken compares the parser with the grammars of RFC 9110 and RFC 6750.
func FuzzHeaderToken(f *testing.F) {
	for _, line := range []string{
		"", " ", "a", "a=", "=", "a=b", "a b", "Bearer a", "bearer  a== ", "BEARER", "Bearer =",
		"Bearer\ta", "Basic YTpi", "Bearer a,b", "a\x00", "\tBearer a\t", "Bearer séance",
		strings.Repeat("x", 513),
	} {
		f.Add(line, false)
		f.Add(line, true)
	}
	token68 := `([A-Za-z0-9._~+/-]+=*)`
	plain := regexp.MustCompile(`^[ \t]*` + token68 + `[ \t]*$`)
	credentials := regexp.MustCompile(`^[ \t]*[Bb][Ee][Aa][Rr][Ee][Rr] +` + token68 + `[ \t]*$`)
	f.Fuzz(func(t *testing.T, line string, bearer bool) {
		transport, grammar := InHeader("X-Session-Token"), plain
		if bearer {
			transport, grammar = InBearer(""), credentials
		}
		want := ""
		if strings.Contains(line, "\n") || strings.Contains(line, "\r") {
			t.Skip() // no server accepts it, and textproto.TrimString removes it
		}
		if m := grammar.FindStringSubmatch(line); m != nil && len(m[1]) <= maxTokenBytes {
			want = m[1]
		}
		token, sent, used := transport.find([]string{line})
		if token != want {
			t.Errorf("find of %q: got %q, want %q", line, token, want)
		}
		if token != "" && !sent || sent && !used {
			t.Errorf("find of %q: token %q, sent %v, used %v", line, token, sent, used)
		}
	})
}

func TestNewPanicsOnTokens(t *testing.T) {
	t.Parallel()
	const unusable = ": use one such as X-Session-Token"
	for _, tt := range []struct {
		name   string
		change func(sm *scs.SessionManager)
		opts   []Option
		want   string
	}{
		{"none", nil, []Option{Tokens()},
			"adapters: the option Tokens has 0 transports: pass one to four, such as InCookie"},
		{"five", nil,
			[]Option{Tokens(InCookie(), InHeader("A"), InHeader("B"), InHeader("C"), InHeader("D"))},
			"adapters: the option Tokens has 5 transports: pass one to four, such as InCookie"},
		{"twice the cookie", nil, []Option{Tokens(InCookie(), Transport{})},
			`adapters: the option Tokens has two transports in the request header "Cookie": remove one`},
		{"twice bearer", nil, []Option{Tokens(InBearer("X-A"), InBearer("X-B"))},
			`adapters: the option Tokens has two transports in the request header "Authorization": ` +
				"remove one"},
		{"no name", nil, []Option{Tokens(InHeader(""))},
			`adapters: the option Tokens has the header "", which is no name of a header` + unusable},
		{"no token", nil, []Option{Tokens(InHeader("my header"))},
			`adapters: the option Tokens has the header "my header", which is no name of a header` +
				unusable},
		{"a line break", nil, []Option{Tokens(InBearer("X-A\r\nX-B"))},
			`adapters: the option Tokens has the header "X-A\r\nX-B", which is no name of a header` +
				unusable},
		{"Authorization", nil, []Option{Tokens(InHeader("authorization"))},
			"adapters: the option Tokens has the header Authorization: use InBearer, whose responses " +
				"have a header of their own"},
		{"Cookie", nil, []Option{Tokens(InHeader("cookie"))},
			"adapters: the option Tokens has the header Cookie, which has another meaning" + unusable},
		{"Set-Cookie", nil, []Option{Tokens(InBearer("Set-Cookie"))},
			"adapters: the option Tokens has the header Set-Cookie, which has another meaning" + unusable},
		{"Content-Type", nil, []Option{Tokens(InHeader("Content-Type"))},
			"adapters: the option Tokens has the header Content-Type, which has another meaning" +
				unusable},
		{"the session in the cookie", func(sm *scs.SessionManager) { sm.Store = newCookieStore(t, "") },
			[]Option{Tokens(InCookie(), InHeader("X-Session-Token"))},
			`adapters: the option Tokens has the header "X-Session-Token", but the store keeps the ` +
				"session in the cookie, where it is more than a token: use InCookie alone, or a store on " +
				"a server"},
		{"a host cookie in no cookie", nil, []Option{HostCookie(), Tokens(InBearer(""))},
			"adapters: the option HostCookie is set, but Tokens has no cookie: add InCookie to Tokens, " +
				"or leave HostCookie out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sm := scskit.New(newStore(t, nil))
			if tt.change != nil {
				tt.change(sm)
			}
			wantPanic(t, tt.want, func() { NewLifecycle(sm, tt.opts...) })
		})
	}
	// A store in the cookie may have Tokens that say what is so anyway.
	sm := scskit.New(newCookieStore(t, ""))
	NewLifecycle(sm, Tokens(InCookie()))
}

func newCookieStore(t *testing.T, name string) *scskit.Store {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	s, err := cookiestore.New([][]byte{key}, &cookiestore.Options{CookieName: name})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCollect tests which values are tried, and in which order.
func TestCollect(t *testing.T) {
	t.Parallel()
	both := []Transport{InCookie(), InHeader("X-Session-Token")}
	reversed := []Transport{InHeader("X-Session-Token"), InCookie()}
	all := []Transport{InBearer(""), InCookie(), InHeader("X-Session-Token"), InHeader("X-Other")}
	cookies := "session=1; session=2; session=3; session=4; session=5"
	for _, tt := range []struct {
		name                         string
		transports                   []Transport
		cookie, header, bearer       string
		want                         string
		via                          uint8
		moreCookies, nothingIsToSend bool
	}{
		{"cookies alone", nil, cookies, "h", "b", "1 2 3 4", 0, true, false},
		{"a header beside four cookies", both, cookies, "h", "b", "1 2 3 h", 0, true, false},
		{"the header first", reversed, cookies, "h", "b", "h 1 2 3", 0, true, false},
		{"no cookie", both, "", "h", "", "h", 1, false, false},
		{"a header that is no token", both, "", "h h", "", "", 1, false, false},
		{"nothing", reversed, "", "", "", "", 0, false, true},
		{"another cookie", reversed, "theme=dark", "", "", "", 0, false, true},
		{"four transports", all, cookies, "h", "Bearer b", "b 1 h", 0, true, false},
		{"the cookie of four transports", all, "session=1", "h", "Basic b", "1 h", 1, false, false},
		{"a long cookie", both, "session=" + strings.Repeat("x", 513), "h", "", "h", 0, false, false},
		{"the longest cookie", nil, "session=" + strings.Repeat("x", 512), "", "",
			strings.Repeat("x", 512), 0, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var opts []Option
			if tt.transports != nil {
				opts = append(opts, Tokens(tt.transports...))
			}
			in := headers{}
			for name, line := range map[string]string{
				"Cookie": tt.cookie, "X-Session-Token": tt.header, "Authorization": tt.bearer,
			} {
				if line != "" {
					in[name] = []string{line}
				}
			}
			l := NewLifecycle(scskit.New(newStore(t, nil)), append(opts, Lazy())...)
			r, err := l.Begin(t.Context(), "GET", "/", in)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(r.tokens[:r.ntokens], " "); got != tt.want || r.via != tt.via {
				t.Errorf("got %q via %d, want %q via %d", got, r.via, tt.want, tt.via)
			}
			if sent := r.sent != 0; r.moreCookies != tt.moreCookies || sent == tt.nothingIsToSend {
				t.Errorf("more cookies %v, sent %b", r.moreCookies, r.sent)
			}
			if want := []string{"Cookie"}; opts == nil && !slices.Equal(l.vary, want) {
				t.Errorf("Vary: got %q, want %q", l.vary, want)
			}
		})
	}
}

// headers is a request with these headers.
type headers map[string][]string

func (h headers) Header(name string) []string { return h[name] }

func (headers) TLS() bool { return false }

func (headers) Host() string { return "example.com" }
