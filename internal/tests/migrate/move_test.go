// Package migrate_test moves sessions between real servers.
package migrate_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/migrate"
)

func redisURL(t *testing.T) string {
	return "redis://" + testenv.Redis(t) + "/3?prefix=" + testenv.Name(t) + ":"
}

func postgresURL(t *testing.T) string {
	return with(testenv.Postgres(t), "table="+testenv.Name(t))
}

func mysqlURL(t *testing.T) string {
	user, rest, _ := strings.Cut(testenv.MySQL(t), "@tcp(")
	addr, database, _ := strings.Cut(rest, ")/")
	return "mysql://" + user + "@" + addr + "/" + database + "?table=" + testenv.Name(t)
}

func mongoURL(t *testing.T) string {
	u, err := url.Parse(testenv.Mongo(t))
	must(t, err)
	u.Path = "/scskit"
	return with(u.String(), "collection="+testenv.Name(t))
}

func dynamoURL(t *testing.T) string {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_SESSION_TOKEN": "",
		"AWS_PROFILE": "", "AWS_REGION": "", "AWS_DEFAULT_REGION": "",
		"AWS_CONFIG_FILE":             filepath.Join(t.TempDir(), "config"),
		"AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "credentials"),
		"AWS_EC2_METADATA_DISABLED":   "true",
	} {
		t.Setenv(name, value)
	}
	return "dynamodb://eu-central-1/" + testenv.Name(t) + "?endpoint=" + testenv.DynamoDB(t)
}

// with appends a parameter to a URL.
func with(where, parameter string) string {
	if strings.Contains(where, "?") {
		return where + "&" + parameter
	}
	return where + "?" + parameter
}

// TestMove moves sessions, kills the process that copies twice, and resumes it. Meanwhile users
// sign out, sign in and change their sessions in the source.
func TestMove(t *testing.T) {
	secret := sha256.Sum256([]byte("a key"))
	for _, c := range []struct {
		name     string
		from, to func(*testing.T) string
		sessions int
		rate     float64
		ordered  bool // the source lists in the order of ids
	}{
		{"redis to postgres", redisURL, postgresURL, 3000, 1500, false},
		{"postgres to dynamodb", postgresURL, dynamoURL, 400, 100, true},
		{"mysql to mongodb", mysqlURL, mongoURL, 600, 200, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := mover{
				From: place{URL: c.from(t), Plain: true}, To: place{URL: c.to(t), Key: secret[:]},
				Checkpoint: filepath.Join(t.TempDir(), "move.json"), Rate: c.rate,
			}
			from, to := m.From.open(t), m.To.open(t)
			for _, store := range []*scskit.Store{from, to} {
				must(t, store.CreateSchema(t.Context()))
				t.Cleanup(func() { must(t, store.DropSchema(context.WithoutCancel(t.Context()))) })
			}
			tokens := fill(t, from, c.sessions)
			users := source{t, scskit.New(from)}
			users.renew(tokens[0])

			m.run(t, c.sessions/3)
			next := users.renew(tokens[1])
			users.put(tokens[2], "n", "changed")
			users.destroy(tokens[3])
			m.run(t, c.sessions*2/3)
			users.put(tokens[4], "n", "changed")
			users.destroy(tokens[5])
			m.Rate = 0
			r := m.run(t, 0)
			t.Log(r)
			if !r.Resumed || r.Done() != r.Listed || c.ordered && r.Skipped < c.sessions/6 {
				t.Errorf("%v, resumed: %v", r, r.Resumed)
			}
			// The last copy, when no program uses either: what has changed since the copy began.
			if _, err := migrate.Copy(t.Context(), from, to, &migrate.Options{
				Checkpoint: migrate.File(m.Checkpoint), Prune: true,
			}); err != nil {
				t.Fatal(err)
			}
			result, err := migrate.Compare(t.Context(), from, to)
			must(t, err)
			if !result.Equal() || result.To.Sessions != c.sessions-2 || result.To.Tombstones != 2 {
				t.Errorf("%+v", result)
			}
			target := source{t, scskit.New(to)}
			for token, want := range map[string]any{
				next: 1, tokens[2]: "changed", tokens[3]: nil, tokens[4]: "changed", tokens[5]: nil,
				tokens[6]: 6, tokens[1]: nil, tokens[c.sessions-1]: c.sessions - 1,
			} {
				if got := target.get(token, "n"); got != want {
					t.Errorf("got %v, want %v", got, want)
				}
			}
			// Users sign out on the target. They stay signed out, since the checkpoint knows.
			target.destroy(tokens[6])
			r = m.run(t, 0)
			t.Log(r)
			if got := target.get(tokens[6], "n"); got != nil {
				t.Errorf("a session that was destroyed in the target is back: %v", r)
			}
			if n := sessionsOf(t, to, "user7"); n != 1 {
				t.Errorf("%d sessions of a user", n)
			}
		})
	}
}

// fill saves sessions, each of a user of its own, and returns their tokens.
func fill(t *testing.T, store *scskit.Store, n int) []string {
	t.Helper()
	tokens := make([]string, n)
	var wg sync.WaitGroup
	work := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range work {
				sum := sha256.Sum256(fmt.Append(nil, t.Name(), i))
				tokens[i] = fmt.Sprintf("%x", sum[:22])[:43]
				deadline := time.Now().Add(time.Hour)
				data, err := store.Codec().Encode(deadline, map[string]any{
					"user": fmt.Sprint("user", i), "n": i,
				})
				if err == nil {
					err = store.CommitCtx(t.Context(), tokens[i], data, deadline)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range n {
		work <- i
	}
	close(work)
	wg.Wait()
	return tokens
}

// source is a backend as users see it.
type source struct {
	t  *testing.T
	sm *scs.SessionManager
}

func (s source) load(token string) context.Context {
	s.t.Helper()
	ctx, err := s.sm.Load(scskit.WithTracker(s.t.Context()), token)
	must(s.t, err)
	return ctx
}

func (s source) get(token, key string) any {
	s.t.Helper()
	return s.sm.Get(s.load(token), key)
}

func (s source) put(token, key string, value any) {
	s.t.Helper()
	ctx := s.load(token)
	s.sm.Put(ctx, key, value)
	_, _, err := s.sm.Commit(ctx)
	must(s.t, err)
}

func (s source) renew(token string) string {
	s.t.Helper()
	ctx := s.load(token)
	must(s.t, s.sm.RenewToken(ctx))
	token, _, err := s.sm.Commit(ctx)
	must(s.t, err)
	return token
}

func (s source) destroy(token string) {
	s.t.Helper()
	must(s.t, s.sm.Destroy(s.load(token)))
}

func sessionsOf(t *testing.T, store *scskit.Store, user string) (n int) {
	t.Helper()
	for _, err := range store.SessionsOf(t.Context(), user) {
		must(t, err)
		n++
	}
	return n
}
