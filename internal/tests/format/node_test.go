package format_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/redisstore"
)

// nodeDir returns a directory with the programs of examples/node, the one that checks the vectors,
// and the packages that they import. It skips the test only if SCSKIT_SKIP_BACKENDS names dynamodb,
// whose server needs Node.js too.
func nodeDir(t *testing.T) string {
	t.Helper()
	if testenv.Skipped("dynamodb") {
		t.Skip("dynamodb is named in SCSKIT_SKIP_BACKENDS, and with it everything that needs Node.js")
	}
	root := filepath.Join("..", "..", "..")
	packages, err := filepath.Abs(filepath.Join(root, "build", "backends", "node", "node_modules"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(packages); err != nil {
		t.Fatalf("%s is missing: run `make backends` (scripts/install-backends)", packages)
	}
	dir := t.TempDir()
	if err := os.Symlink(packages, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	programs, err := filepath.Glob(filepath.Join(root, "examples", "node", "*.mjs"))
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs in examples/node, error %v", err)
	}
	for _, file := range append(programs, "vectors.mjs") {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// node runs a program of nodeDir and returns its output.
func node(t *testing.T, dir, input, keys string, args ...string) (output []byte, failed string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	args[0] = filepath.Join(dir, args[0])
	cmd := exec.CommandContext(ctx, "node", args...)
	cmd.Env = append(os.Environ(), "SESSION_KEYS="+keys)
	cmd.Stdin = strings.NewReader(input)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	output, err := cmd.Output()
	if err != nil && problems.Len() == 0 {
		t.Fatal(err)
	}
	return output, problems.String()
}

func TestNodeReadsVectors(t *testing.T) {
	path, err := filepath.Abs(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	output, failed := node(t, nodeDir(t), "", "", "vectors.mjs", path)
	if failed != "" {
		t.Fatal(failed)
	}
	v := readVectors(t)
	want := len(v.IDs) + len(v.Users) + len(v.Values) + len(v.Sessions) + len(v.Sealed) +
		len(v.Tombstones) + len(v.Locks) + len(v.Refused) + len(v.Redis) + 4 // no records
	if got := strings.TrimSpace(string(output)); got != strconv.Itoa(want) {
		t.Errorf("it has read %s vectors, want %d", got, want)
	}
}

// printed is what read-session.mjs prints.
type printed struct {
	ID, User, Deadline             string
	Expiry, Seen, Created, Updated int64
	Version                        any
	Values                         any
}

// live is a store on Redis, of which read-session.mjs reads sessions.
type live struct {
	t        *testing.T
	dir      string
	client   *redis.Client
	store    *scskit.Store
	sessions *scs.SessionManager
	prefix   string
	plain    bool
	keys     string
}

func newLive(t *testing.T, dir string, opts scskit.Options) *live {
	t.Helper()
	l := &live{t: t, dir: dir, client: newRedis(t), plain: opts.PlainIDs}
	l.prefix = testenv.Name(t) + ":"
	var err error
	l.store, err = redisstore.New(l.client, &redisstore.Options{Options: opts, Prefix: l.prefix})
	if err != nil {
		t.Fatal(err)
	}
	l.sessions = scskit.New(l.store)
	for _, key := range opts.Keys {
		l.keys += base64.StdEncoding.EncodeToString(key) + "\n"
	}
	return l
}

// request changes the session with the token as a request does, and returns its token.
func (l *live) request(token string, change func(ctx context.Context) error) string {
	l.t.Helper()
	ctx, err := l.sessions.Load(scskit.WithTracker(l.t.Context()), token)
	if err == nil {
		err = change(ctx)
	}
	if err == nil {
		token, _, err = l.sessions.Commit(ctx)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return token
}

// put returns a function that puts the values into a session.
func (l *live) put(values map[string]any) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		for key, v := range values {
			l.sessions.Put(ctx, key, v)
		}
		return nil
	}
}

func (l *live) read(token, keys string) (output []byte, failed string) {
	l.t.Helper()
	args := []string{"read-session.mjs", "redis://" + l.client.Options().Addr, l.prefix}
	if l.plain {
		args = append(args, "--plain-ids")
	}
	return node(l.t, l.dir, token+"\n", keys, args...)
}

// same checks that the Node program reads the session as it is stored, with these values.
func (l *live) same(token string, values map[string]any) {
	l.t.Helper()
	id := hashOf(token)
	if l.plain {
		id = token
	}
	rec, err := l.store.Driver().Load(l.t.Context(), id)
	if err != nil {
		l.t.Fatal(err)
	}
	data, _ := find(l.t, l.store, token)
	deadline, stored, err := scskit.Codec{}.Decode(data)
	if err != nil || len(stored) != len(values) {
		l.t.Fatalf("the store has %d values, want %d, error %v", len(stored), len(values), err)
	}
	want := printed{
		ID: id, User: rec.User, Deadline: deadline.Format("2006-01-02T15:04:05.000000000Z"),
		Expiry: rec.Expiry.UnixMilli(), Seen: rec.Seen.UnixMilli(), Created: rec.Created.UnixMilli(),
		Updated: rec.Updated.UnixMilli(), Version: notation(int(rec.Version)), Values: notation(values),
	}
	var got printed
	output, failed := l.read(token, l.keys)
	if err := json.Unmarshal(output, &got); err != nil {
		l.t.Fatalf("it prints %s, %s: %v", output, failed, err)
	}
	if text, _ := json.Marshal(want); !reflect.DeepEqual(got, decoded(l.t, text)) {
		l.t.Errorf("got  %+v\nwant %+v", got, decoded(l.t, text))
	}
}

func decoded(t *testing.T, text []byte) (p printed) {
	t.Helper()
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// none checks that the Node program finds no session.
func (l *live) none(what, token string) {
	l.t.Helper()
	if output, failed := l.read(token, l.keys); string(output) != "null\n" || failed != "" {
		l.t.Errorf("%s: it prints %s, %s", what, output, failed)
	}
}

// refused checks that the Node program fails with an error.
func (l *live) refused(what, token, keys, want string) {
	l.t.Helper()
	output, failed := l.read(token, keys)
	if len(output) != 0 || !strings.Contains(failed, want) {
		l.t.Errorf("%s: it prints %s, %s, want the error %q", what, output, failed, want)
	}
}

// The Node program reads values of every type that a store has stored.
func TestNodeReadsSessions(t *testing.T) {
	dir := nodeDir(t)
	for name, opts := range map[string]scskit.Options{
		"default": {},
		"plain":   {PlainIDs: true},
		"user":    {UserKey: "user"},
		"sealed":  {Keys: [][]byte{oldKey[:]}},
		"both":    {UserKey: "user", Keys: [][]byte{newKey[:], oldKey[:]}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newLive(t, dir, opts)
			values := allValues()
			if opts.UserKey != "" {
				values[opts.UserKey] = int64(-42)
			}
			l.same(l.request("", l.put(values)), values)
		})
	}
}

// The Node program follows a session through its life.
func TestNodeReadsWhatLives(t *testing.T) {
	l := newLive(t, nodeDir(t), scskit.Options{UserKey: "user", Keys: [][]byte{oldKey[:]}})
	values := map[string]any{"user": "ada", "visits": 1}
	l.none("no session", token)
	first := l.request("", l.put(values))
	l.same(first, values)

	values["visits"] = 2
	l.request(first, l.put(values))
	l.same(first, values) // another version, the same created

	rec, err := l.store.Driver().Load(t.Context(), hashOf(first))
	if err != nil {
		t.Fatal(err)
	}
	touch := driver.Record{
		ID: rec.ID, Version: rec.Version, User: rec.User,
		Expiry: rec.Expiry.Add(-time.Hour), Seen: rec.Seen.Add(time.Minute),
	}
	if err := l.store.Driver().Touch(t.Context(), touch); err != nil {
		t.Fatal(err)
	}
	l.same(first, values)

	l.refused("without a key", first, "", "another key")
	wrong := base64.StdEncoding.EncodeToString(newKey[:])
	l.refused("with another key", first, wrong, "another key")

	next := l.request(first, l.sessions.RenewToken)
	l.none("the token before the renewal", first)
	l.same(next, values)

	// A record that is copied to another id does not open there.
	copied := l.client.Get(t.Context(), l.prefix+hashOf(next)).Val()
	l.client.Set(t.Context(), l.prefix+hashOf("another"), copied, time.Hour)
	l.refused("a copy", "another", l.keys, "authenticate")

	// The expiry in the record counts, whether or not Redis has removed the key.
	key := l.prefix + hashOf(next)
	l.client.Persist(t.Context(), key)
	l.client.SetRange(t.Context(), key, 9, "\x00\x00\x00\x00\x00\x01")
	l.none("expired", next)

	// So does the deadline.
	ended, err := scskit.Codec{}.Encode(time.Now().Add(-time.Second), values)
	if err != nil {
		t.Fatal(err)
	}
	save(t, l.store, hashOf("ended"), sealedOf(oldKey[:], ended, hashOf("ended")))
	l.none("ended", "ended")
	if _, found := find(t, l.store, "ended"); found {
		t.Error("the store finds a session after its deadline")
	}

	other := l.request("", l.put(values))
	l.request(other, l.sessions.Destroy)
	l.none("destroyed", other)
}
