package stores_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores"
)

// secure are the servers that require TLS and a password.
var secure = []struct {
	kind testenv.Kind
	name string // of the store in reports

	// place is the parameter that separates stores: a table or a key prefix.
	place string

	// plain changes a URL to one without TLS.
	plain func(u *url.URL, query url.Values)

	// These end the error of Open for a wrong password, an unknown CA and no TLS.
	wrong, unknown, refused string
}{
	{
		testenv.KindRedisTLS, "redis-tls", "prefix",
		func(u *url.URL, query url.Values) { u.Scheme = "redis"; query.Del("tls_ca") },
		"WRONGPASS invalid username-password pair or user is disabled.: " + storeurl.CheckPassword,
		"certificate signed by unknown authority: name the file with the CA certificate: tls_ca=FILE",
		"EOF: if the server requires TLS, write rediss://; if it is not Redis, check the port",
	},
	{
		testenv.KindPostgresTLS, "postgresql-tls", "table",
		func(_ *url.URL, query url.Values) { query.Set("sslmode", "disable"); query.Del("sslrootcert") },
		`password authentication failed for user "scskit" (SQLSTATE 28P01): ` + storeurl.CheckPassword,
		"certificate signed by unknown authority: name the file with the CA certificate: " +
			"sslrootcert=FILE",
		"no encryption (SQLSTATE 28000): the server requires TLS: write sslmode=verify-full",
	},
	{
		testenv.KindMySQLTLS, "mariadb-tls", "table",
		func(_ *url.URL, query url.Values) { query.Del("tls"); query.Del("tls_ca") },
		"Access denied for user 'scskit'@'127.0.0.1' (using password: YES): " + storeurl.CheckPassword,
		"certificate signed by unknown authority: name the file with the CA certificate: tls_ca=FILE",
		"; if the server requires TLS, write tls=true",
	},
}

func TestTLSAndPassword(t *testing.T) {
	for _, s := range secure {
		t.Run(s.name, func(t *testing.T) {
			where := testenv.URL(t, s.kind)
			shared(t, where+parameter(where, s.place+"="+testenv.Name(t)))
			const canary = "canary"
			for _, tc := range []struct {
				name   string
				change func(u *url.URL, query url.Values)
				want   string
			}{
				{"wrong password", func(u *url.URL, _ url.Values) {
					u.User = url.UserPassword(u.User.Username(), canary)
				}, s.wrong},
				{"unknown authority", func(_ *url.URL, query url.Values) {
					query.Del("tls_ca")
					query.Del("sslrootcert")
				}, s.unknown},
				{"plain text", s.plain, s.refused},
			} {
				var password string
				bad := change(t, where, func(u *url.URL) {
					query := u.Query()
					tc.change(u, query)
					u.RawQuery = query.Encode()
					password, _ = u.User.Password()
				})
				_, closeStore, err := stores.Open(t.Context(), bad, nil)
				switch {
				case err == nil:
					_ = closeStore()
					t.Errorf("%s: Open succeeds", tc.name)
				case !strings.HasSuffix(err.Error(), tc.want):
					t.Errorf("%s: got error %v, want …%s", tc.name, err, tc.want)
				case strings.Contains(err.Error(), password):
					t.Errorf("%s: the error contains the password: %v", tc.name, err)
				}
			}
			nothingLeft(t)
		})
	}
}

// TestTLSNotSupported opens a URL with TLS at a server without it, and a MongoDB URL without TLS at
// another kind of server that has it.
func TestTLSNotSupported(t *testing.T) {
	t.Parallel()
	with := func(name, value string) func(u *url.URL) {
		return func(u *url.URL) {
			query := u.Query()
			query.Set(name, value)
			u.RawQuery = query.Encode()
		}
	}
	for name, tc := range map[string]struct {
		change func(u *url.URL)
		want   string
	}{
		"redis": {
			func(u *url.URL) { u.Scheme = "rediss" },
			"if the server has no TLS, write redis://; if it is not Redis, check the port",
		},
		"postgres": {
			with("sslmode", "require"),
			"the server does not support TLS: write sslmode=disable",
		},
		"mysql": {
			with("tls", "true"),
			"the server does not support TLS: write tls=false, without tls_ca",
		},
		"mongodb": {
			with("tls", "true"),
			"if the server has no TLS, write tls=false; if it is not MongoDB, check the port",
		},
		"mongodb at Redis with TLS": {func(u *url.URL) {
			secure, err := url.Parse(testenv.URL(t, testenv.KindRedisTLS))
			if err != nil {
				t.Fatal(err)
			}
			u.Host = secure.Host
		}, "if the server requires TLS, write tls=true; if it is not MongoDB, check the port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kind, _, _ := strings.Cut(name, " ")
			_, closeStore, err := stores.Open(t.Context(), change(t, urls[kind](t), tc.change), nil)
			if err == nil {
				_ = closeStore()
			}
			if err == nil || !strings.HasSuffix(err.Error(), ": "+tc.want) {
				t.Errorf("got error %v, want …%s", err, tc.want)
			}
		})
	}
}

func TestRedisWithoutPassword(t *testing.T) {
	where := change(t, testenv.URL(t, testenv.KindRedisTLS), func(u *url.URL) { u.User = nil })
	_, _, err := stores.Open(t.Context(), where, nil)
	const want = ": the server requires a password: write redis://[USER:PASSWORD@]HOST"
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want …%s…", err, want)
	}
}

func TestConformanceOverTLS(t *testing.T) {
	t.Parallel()
	for _, s := range secure {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			conformance.TestStore(t, atURL(s.name, testenv.URL(t, s.kind), s.place))
		})
	}
}

// atURL returns a store for the conformance kit that is opened by URL. Each call of New adds the
// parameter place with a new name.
func atURL(name, where, place string) conformance.Store {
	var urls sync.Map // from the store to its URL
	openAt := func(tb testing.TB, where string) scs.Store {
		store, closeStore, err := stores.Open(tb.Context(), where, nil)
		if err != nil {
			tb.Fatal(err)
		}
		tb.Cleanup(func() {
			if err := closeStore(); err != nil {
				tb.Error(err)
			}
		})
		if err := store.CreateSchema(tb.Context()); err != nil {
			tb.Fatal(err)
		}
		urls.Store(store, where)
		return store
	}
	return conformance.Store{
		Name: name,
		New: func(tb testing.TB) scs.Store {
			return openAt(tb, where+parameter(where, "pool_size=8&"+place+"="+testenv.Name(tb)))
		},
		Reopen: func(tb testing.TB, s scs.Store) scs.Store {
			where, _ := urls.Load(s)
			return openAt(tb, where.(string))
		},
	}
}
