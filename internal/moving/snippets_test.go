package moving

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gorilla/sessions"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/migrate/legacy"
)

// TestDiffs checks that each diff in docs/moving.md leads from lines of one Go file of this package
// to lines of one.
func TestDiffs(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "moving.md"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var code []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		code = append(code, fields(string(text)))
	}
	blocks := strings.Split(string(doc), "```diff\n")[1:]
	if len(blocks) < 6 {
		t.Errorf("%d diffs, want one for each package", len(blocks))
	}
	for i, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		for _, sign := range []string{"-", "+"} {
			var lines strings.Builder
			for line := range strings.Lines(block) {
				if line[:1] == sign || line[:1] == " " {
					lines.WriteString(line[1:])
				}
			}
			found := false
			for _, text := range code {
				found = found || strings.Contains(text, fields(lines.String()))
			}
			if !found {
				t.Errorf("diff %d: the lines with %s are in no file:\n%s", i+1, sign, lines.String())
			}
		}
	}
}

// fields removes indentation and alignment.
func fields(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		if words := strings.Fields(line); len(words) > 0 {
			b.WriteString(strings.Join(words, " ") + "\n")
		}
	}
	return b.String()
}

type contextKey string

const userKey contextKey = "user"

func mapped(store sessions.Store) adapters.LegacyReader {
	old := legacy.Gorilla("app", store, legacy.GorillaOptions{
		Values: func(old map[any]any) map[string]any {
			values := legacy.StringKeys(old)
			values["user"] = old[userKey] // a key with a type of its own
			delete(values, "_flash")
			return values
		},
	})
	return old
}

func rolling(store sessions.Store) adapters.LegacyReader {
	return legacy.Gorilla("app", store, legacy.GorillaOptions{
		Deadline: func(*sessions.Session, time.Time) time.Time { return time.Time{} },
	})
}

// named returns the middleware for two sessions of a request.
func named(
	store sessions.Store, backend, carts *scskit.Store, o adapters.AdoptOptions, mux http.Handler,
) (h http.Handler, account, cart *scs.SessionManager) {
	account, cart = scskit.New(backend), scskit.New(carts)
	account.Cookie.Name, cart.Cookie.Name = "account_id", "cart_id"
	ofAccount := legacy.Gorilla("account", store, legacy.GorillaOptions{})
	ofCart := legacy.Gorilla("cart", store, legacy.GorillaOptions{})
	h = scshttp.LoadAndSave(cart, adapters.Adopt(ofCart, o))(mux)
	h = scshttp.LoadAndSave(account, adapters.Adopt(ofAccount, o))(h)
	return h, account, cart
}

// TestNamed moves two sessions of one browser.
func TestNamed(t *testing.T) {
	t.Parallel()
	store := sessions.NewCookieStore(firstKey)
	store.Options.Secure = false
	mux := http.NewServeMux()
	h, account, cart := named(store, newBackend(t), newBackend(t), adapters.AdoptOptions{}, mux)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, account.GetString(r.Context(), "v")+cart.GetString(r.Context(), "v"))
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/old" {
			h.ServeHTTP(w, r)
			return
		}
		for _, name := range []string{"account", "cart"} {
			s, _ := store.Get(r, name)
			s.Values["v"] = name
			if err := s.Save(r, w); err != nil {
				t.Error(err)
			}
		}
	}))
	t.Cleanup(server.Close)
	jar, _ := cookiejar.New(nil)
	u := &user{T: t, client: &http.Client{Jar: jar}, url: server.URL}
	u.get("/old", "")
	for range 2 {
		u.get("/new", "accountcart")
	}
	if c := u.cookies(); len(c) != 2 || c["account_id"] == "" || c["cart_id"] == "" {
		t.Errorf("the browser has the cookies %v", c)
	}
}

// TestMapped reads a session whose keys have types, with the functions of docs/moving.md.
func TestMapped(t *testing.T) {
	t.Parallel()
	store := typed{values: map[any]any{userKey: "ada", "n": 1, "_flash": []any{"saved"}}}
	for name, r := range map[string]adapters.LegacyReader{
		"mapped": mapped(store), "rolling": rolling(store),
	} {
		cookies := []*http.Cookie{{Name: "app", Value: "x"}}
		s, err := r.ReadSession(t.Context(), r.SessionID(cookies), cookies)
		if err != nil || s == nil || s.Values["n"] != 1 {
			t.Fatalf("%s: session %v, %v", name, s, err)
		}
		if name == "mapped" && (s.Values["user"] != "ada" || s.Values["_flash"] != nil) {
			t.Errorf("values %v", s.Values)
		}
	}
}

// typed is a store with one session.
type typed struct {
	sessions.Store
	values map[any]any
}

func (s typed) New(_ *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	for k, v := range s.values {
		session.Values[k] = v
	}
	return session, nil
}
