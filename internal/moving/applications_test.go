package moving

import (
	"context"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/boj/redistore"
	ginsessions "github.com/gin-contrib/sessions"
	gincookie "github.com/gin-contrib/sessions/cookie"
	ginredis "github.com/gin-contrib/sessions/redis"
	fiberredis "github.com/gofiber/storage/redis/v3"
	"github.com/gorilla/securecookie"
	"github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/migrate/legacy/shim"
)

// counter returns a function that counts the keys in Redis with a prefix.
type counter func(prefix string) func() int

func scsApplications(t *testing.T, client *redis.Client, count counter) []application {
	inMemory := memstore.NewWithCleanupInterval(0)
	prefix := testenv.Name(t) + ":"
	inRedis := func() scs.Store { return goredisstore.NewWithPrefix(client, prefix) }
	return []application{{
		name: "scs", cookie: "session",
		before: func() server { return handler(scsBefore(inMemory)) },
		after: func(s *scskit.Store, o adapters.AdoptOptions) server {
			return handler(scsAfter(inMemory, s, o))
		},
		records: func() int { all, _ := inMemory.All(); return len(all) },
	}, {
		name: "scs hashed in Redis", cookie: "sid",
		before: func() server { return handler(scsHashedBefore(inRedis())) },
		after: func(s *scskit.Store, o adapters.AdoptOptions) server {
			return handler(scsHashedAfter(inRedis(), s, o))
		},
		records: count(prefix),
	}}
}

var (
	firstKey, firstBlock = []byte(strings.Repeat("k", 32)), []byte(strings.Repeat("b", 32))
	newKey, newBlock     = []byte(strings.Repeat("n", 32)), []byte(strings.Repeat("c", 16))
)

// gorilla returns an application on gorilla/sessions, or on echo-contrib/session.
func gorilla(name string, before, after func() sessions.Store, records func() int) application {
	app := application{
		name: name, cookie: "app",
		before: func() server { return handler(gorillaBefore(before())) },
		after: func(s *scskit.Store, o adapters.AdoptOptions) server {
			return handler(gorillaAfter(after(), s, o))
		},
		records: records,
	}
	if strings.HasPrefix(name, "echo") {
		app.before = func() server { return handler(echoBefore(before())) }
		app.after = func(s *scskit.Store, o adapters.AdoptOptions) server {
			return handler(echoAfter(after(), s, o))
		}
	}
	return app
}

func gorillaApplications(t *testing.T, addr string, count counter) []application {
	cookies := func(json bool, keys ...[]byte) func() sessions.Store {
		return func() sessions.Store {
			s := sessions.NewCookieStore(keys...)
			s.Options.Secure = false
			for _, codec := range s.Codecs {
				if json {
					codec.(*securecookie.SecureCookie).SetSerializer(jsonValues{})
				}
			}
			return s
		}
	}
	dir := t.TempDir()
	files := func() sessions.Store { return sessions.NewFilesystemStore(dir, firstKey) }
	inRedis := func(prefix string, sz redistore.SessionSerializer) func() sessions.Store {
		return func() sessions.Store {
			s, err := redistore.NewRediStore(4, "tcp", addr, "", "", firstKey, firstBlock)
			if err != nil {
				t.Fatal(err)
			}
			s.SetKeyPrefix(prefix)
			s.SetSerializer(sz)
			return s
		}
	}
	gobs, jsons, echos := testenv.Name(t)+"_", testenv.Name(t)+"_", testenv.Name(t)+"_"
	withGob := inRedis(gobs, redistore.GobSerializer{})
	withJSON := inRedis(jsons, redistore.JSONSerializer{})
	echoGob := inRedis(echos, redistore.GobSerializer{})
	unchanged := func(name string, before func(sessions.Store) http.Handler) application {
		store := cookies(false, firstKey)
		return application{
			name: name, cookie: "app",
			before: func() server { return handler(before(store())) },
			after: func(s *scskit.Store, o adapters.AdoptOptions) server {
				return handler(gorillaUnchanged(store(), s, o, before))
			},
		}
	}
	simple, asJSON := cookies(false, firstKey), cookies(true, firstKey, firstBlock)
	return []application{
		gorilla("gorilla cookie, keys replaced", cookies(false, firstKey, firstBlock),
			cookies(false, newKey, newBlock, firstKey, firstBlock), nil),
		gorilla("gorilla cookie, JSON", asJSON, asJSON, nil),
		gorilla("gorilla files", files, files, func() int {
			all, _ := os.ReadDir(dir)
			return len(all)
		}),
		gorilla("gorilla Redis", withGob, withGob, count(gobs)),
		gorilla("gorilla Redis, JSON", withJSON, withJSON, count(jsons)),
		gorilla("echo cookie", simple, simple, nil),
		gorilla("echo Redis", echoGob, echoGob, count(echos)),
		unchanged("gorilla, handlers unchanged", gorillaBefore),
		unchanged("echo, handlers unchanged", echoBefore),
		unchanged("gin, handlers unchanged", func(s sessions.Store) http.Handler {
			if over, ok := s.(*shim.Store); ok {
				return ginBefore(shim.Gin[ginsessions.Options](over))
			}
			return ginBefore(gincookie.NewStore(firstKey))
		}),
	}
}

func ginApplications(t *testing.T, addr string, count counter) []application {
	prefix := testenv.Name(t) + "_"
	cookies := func() ginsessions.Store {
		s := gincookie.NewStore(firstKey)
		s.Options(ginsessions.Options{Path: "/", MaxAge: 3600})
		return s
	}
	inRedis := func() ginsessions.Store {
		s, err := ginredis.NewStore(4, "tcp", addr, "", "", firstKey)
		if err == nil {
			err = ginredis.SetKeyPrefix(s, prefix)
		}
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	app := func(name string, store func() ginsessions.Store, records func() int) application {
		return application{
			name: name, cookie: "app",
			before: func() server { return handler(ginBefore(store())) },
			after: func(s *scskit.Store, o adapters.AdoptOptions) server {
				return handler(ginAfter(store(), s, o))
			},
			records: records,
		}
	}
	return []application{app("gin cookie", cookies, nil), app("gin Redis", inRedis, count(prefix))}
}

func fiberApplications(t *testing.T, addr string, count counter) []application {
	storage := func() prefixed {
		s := fiberredis.New(fiberredis.Config{URL: "redis://" + addr})
		t.Cleanup(func() { _ = s.Close() })
		return prefixed{s, testenv.Name(t) + ":"}
	}
	v2, v3, absolute := storage(), storage(), storage()
	after := func(s prefixed) func(*scskit.Store, adapters.AdoptOptions) server {
		return func(store *scskit.Store, o adapters.AdoptOptions) server {
			return fiberV3App(fiberV3After(s, store, o))
		}
	}
	return []application{{
		name: "Fiber v2", cookie: "session_id",
		before: func() server { return fiberV2App(fiberBefore(v2)) },
		after: func(s *scskit.Store, o adapters.AdoptOptions) server {
			return fiberV2App(fiberAfter(v2, s, o))
		},
		records: count(v2.prefix),
	}, {
		name: "Fiber v3", cookie: "session_id",
		before: func() server { return fiberV3App(fiberV3Before(v3)) },
		after:  after(v3), records: count(v3.prefix),
	}, {
		name: "Fiber v3 with an AbsoluteTimeout", cookie: "session_id",
		before: func() server { return fiberV3App(fiberV3AbsoluteBefore(absolute)) },
		after:  after(absolute), records: count(absolute.prefix),
	}}
}

// prefixed is Fiber's storage in Redis, with a prefix of its own, as tests share the server.
type prefixed struct {
	*fiberredis.Storage
	prefix string
}

func (p prefixed) Get(key string) ([]byte, error) { return p.Storage.Get(p.prefix + key) }
func (p prefixed) Delete(key string) error        { return p.Storage.Delete(p.prefix + key) }

func (p prefixed) Set(key string, value []byte, life time.Duration) error {
	return p.Storage.Set(p.prefix+key, value, life)
}

func (p prefixed) GetWithContext(_ context.Context, key string) ([]byte, error) {
	return p.Get(key)
}

func (p prefixed) SetWithContext(
	_ context.Context, key string, value []byte, life time.Duration,
) error {
	return p.Set(key, value, life)
}

func (p prefixed) DeleteWithContext(_ context.Context, key string) error { return p.Delete(key) }
