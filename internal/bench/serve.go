package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/pprof"
	"time"

	"github.com/alexedwards/scs/goredisstore"
	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/keyring"
	"github.com/scskit/scskit/stores/redisstore"
)

// user is the value that the handlers respond with.
const user = "8f14e45f-ceea-467f-9575-6d2b5f2e0a11"

type serveRequest struct {
	Redis     string
	Deadlines bool
	Profile   string
}

// served describes the running server.
type served struct {
	Addr    map[string]string   // addresses, by "variant operation"
	Control string              // the address that responds with used
	Cookies map[string][]string // by variant: one session per connection
	Keys    []string            // the Redis keys of scskit's sessions
	Size    map[string]int64    // by variant: the size of a session's value in bytes
	Body    string              // the body of every response
}

// used holds what the server's process has used so far: heap objects and bytes, and processor time.
type used struct {
	Allocs, Bytes uint64
	CPU           time.Duration
}

// variant is one way to store sessions. The bare variant has no sessions and sends only the Redis
// commands that any implementation needs.
type variant struct {
	name  string
	sites func(client *redis.Client) (read, write http.Handler, sm *scs.SessionManager)
}

var variants = []variant{
	{"bare", func(c *redis.Client) (read, write http.Handler, _ *scs.SessionManager) {
		return bareRead(c), bareWrite(c), nil
	}},
	{"scskit", func(c *redis.Client) (read, write http.Handler, _ *scs.SessionManager) {
		store, err := redisstore.New(c, nil)
		if err != nil {
			panic(err)
		}
		sm := scskit.New(store)
		wrap := scshttp.LoadAndSave(sm)
		return wrap(sessionRead(sm)), wrap(sessionWrite(sm)), sm
	}},
	{"sealed", func(c *redis.Client) (read, write http.Handler, _ *scs.SessionManager) {
		keys, err := keyring.Parse(keyring.New())
		if err != nil {
			panic(err)
		}
		store, err := redisstore.New(c, &redisstore.Options{
			Options: scskit.Options{Keys: keys, UserKey: "user"}, Prefix: "sealed:",
		})
		if err != nil {
			panic(err)
		}
		sm := scskit.New(store)
		wrap := scshttp.LoadAndSave(sm)
		return wrap(sessionRead(sm)), wrap(sessionWrite(sm)), sm
	}},
	{"scs", func(c *redis.Client) (read, write http.Handler, _ *scs.SessionManager) {
		sm := scs.New()
		sm.Store = goredisstore.NewWithPrefix(c, "stock:")
		return sm.LoadAndSave(sessionRead(sm)), sm.LoadAndSave(sessionWrite(sm)), sm
	}},
}

// bareRead takes the key from the query of the URL.
func bareRead(c *redis.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := c.Get(r.Context(), r.URL.RawQuery).Bytes()
		answerBare(w, b, err)
	})
}

func bareWrite(c *redis.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := c.Get(r.Context(), r.URL.RawQuery).Bytes()
		if err == nil {
			err = c.Set(r.Context(), r.URL.RawQuery, b, time.Hour).Err()
		}
		answerBare(w, b, err)
	})
}

// plain is the Content-Type of all responses.
var plain = []string{"text/plain; charset=utf-8"}

func answerBare(w http.ResponseWriter, b []byte, err error) {
	if i := bytes.Index(b, []byte(user)); err == nil && i >= 0 {
		w.Header()["Content-Type"] = plain
		_, _ = w.Write(b[i : i+len(user)])
		return
	}
	http.Error(w, fmt.Sprint("no value: ", err), http.StatusInternalServerError)
}

func sessionRead(sm *scs.SessionManager) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = plain
		_, _ = io.WriteString(w, sm.GetString(r.Context(), "user"))
	})
}

func sessionWrite(sm *scs.SessionManager) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sm.Put(r.Context(), "visits", sm.GetInt(r.Context(), "visits")+1)
		w.Header()["Content-Type"] = plain
		_, _ = io.WriteString(w, sm.GetString(r.Context(), "user"))
	})
}

// serve is the server. It ends when its input ends.
func serve(in io.Reader, out io.Writer) error {
	var req serveRequest
	if err := json.NewDecoder(in).Decode(&req); err != nil {
		return err
	}
	client := redis.NewClient(&redis.Options{Addr: req.Redis, ContextTimeoutEnabled: req.Deadlines})
	defer func() { _ = client.Close() }()
	site := served{
		Addr:    map[string]string{},
		Cookies: map[string][]string{},
		Size:    map[string]int64{},
		Body:    user,
	}
	for _, v := range variants {
		read, write, sm := v.sites(client)
		var err error
		if site.Addr[v.name+" read"], err = listen(read); err != nil {
			return err
		}
		if site.Addr[v.name+" write"], err = listen(write); err != nil {
			return err
		}
		if sm == nil {
			continue
		}
		for range connections {
			token, err := newSession(sm)
			if err != nil {
				return err
			}
			site.Cookies[v.name] = append(site.Cookies[v.name], sm.Cookie.Name+"="+token)
			key := "stock:" + token
			if v.name == "scskit" {
				key = "scs:session:" + scskit.HashToken(token)
				site.Keys = append(site.Keys, key)
			}
			if site.Size[v.name], err = client.StrLen(context.Background(), key).Result(); err != nil {
				return err
			}
		}
	}
	site.Cookies["bare"] = site.Cookies["scskit"] // for requests of the same size
	var err error
	if site.Control, err = listen(http.HandlerFunc(count)); err != nil {
		return err
	}
	if req.Profile != "" {
		f, err := os.Create(req.Profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer func() {
			pprof.StopCPUProfile()
			_ = f.Close()
		}()
	}
	if err := json.NewEncoder(out).Encode(site); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, in)
	return err
}

func listen(h http.Handler) (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it does not block
	if err != nil {
		return "", err
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	return l.Addr().String(), nil
}

// newSession stores a session with three keys and returns its token.
func newSession(sm *scs.SessionManager) (string, error) {
	ctx, err := sm.Load(context.Background(), "")
	if err != nil {
		return "", err
	}
	sm.Put(ctx, "user", user)
	sm.Put(ctx, "visits", 41)
	sm.Put(ctx, "theme", "dark")
	token, _, err := sm.Commit(ctx)
	if token == "" {
		err = errors.Join(err, errors.New("the session has no token"))
	}
	return token, err
}

func count(w http.ResponseWriter, _ *http.Request) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	_ = json.NewEncoder(w).Encode(used{m.Mallocs, m.TotalAlloc, cpu()})
}
