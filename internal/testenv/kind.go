package testenv

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// Kind is a kind of server.
type Kind int

// The kinds of servers, in the order of [Kinds].
const (
	KindRedis Kind = iota
	KindRedisCluster
	KindPostgres
	KindMySQL
	KindMongo
	KindDynamoDB
	KindPostgres18
	KindPgBouncer
	KindRedisTLS
	KindPostgresTLS
	KindMySQLTLS
	numKinds

	kindToxiproxy = numKinds // not a backend: what [Proxy] is made of
)

// kind says how to start and ask one kind of server.
type kind struct {
	name string
	env  string
	// nodes prepares the data directories and says which programs to run.
	nodes func(dir string) ([]*node, error)
	// join makes the running nodes one server; nil for a server of one node.
	join func(ctx context.Context, nodes []*node) error
	// probe asks a node for its version over the server's own protocol.
	probe func(ctx context.Context, addr string) (version string, err error)
	// url makes what clients take from the addresses of the private nodes.
	url func(addrs []string) string
	// addr finds the address in what the environment gave, leaving out credentials; empty if it
	// cannot.
	addr func(url string) string
	// ready is how long a node may take until it answers.
	ready time.Duration
}

var kinds = [numKinds + 1]kind{
	KindRedis:        redisKind,
	KindRedisCluster: redisClusterKind,
	KindPostgres:     postgresKind("postgres", "SCSKIT_TEST_POSTGRES", installedPostgres),
	KindMySQL:        mysqlKind,
	KindMongo:        mongoKind,
	KindDynamoDB:     dynamoKind,
	KindPostgres18:   postgresKind("postgres18", "SCSKIT_TEST_POSTGRES18", builtPostgres18),
	KindPgBouncer:    pgBouncerKind,
	KindRedisTLS:     redisTLSKind,
	KindPostgresTLS:  postgresTLSKind,
	KindMySQLTLS:     mysqlTLSKind,
	kindToxiproxy:    toxiproxyKind,
}

// Kinds returns all kinds.
func Kinds() []Kind {
	all := make([]Kind, numKinds)
	for i := range all {
		all[i] = Kind(i)
	}
	return all
}

// String returns the name by which SCSKIT_SKIP_BACKENDS and error messages know the kind.
func (k Kind) String() string { return kinds[k].name }

// Env returns the environment variable that names a server of this kind.
func (k Kind) Env() string { return kinds[k].env }

// Backend is a server that tests may use.
type Backend struct {
	Kind Kind
	// URL is what clients take; its form depends on the kind, see the package documentation.
	URL string
	// Addr is where the server listens, without credentials: host:port, several separated by
	// commas.
	Addr string
	// Version is the server's name and version; it may be empty for a server from the environment.
	Version string
	// Private says whether this process started it. PIDs are its processes then, and Started the
	// time that took.
	Private bool
	PIDs    []int
	Started time.Duration
}

// String describes the backend on one line.
func (b Backend) String() string {
	version := b.Version
	if version == "" {
		version = "version unknown"
	}
	if !b.Private {
		return fmt.Sprintf("%s: %s at %s, from %s", b.Kind, version, b.Addr, b.Kind.Env())
	}
	return fmt.Sprintf("%s: %s at %s, private, ready in %s", b.Kind, version, b.Addr,
		b.Started.Round(time.Millisecond))
}

var finders = func() (f [numKinds]func() (Backend, error)) {
	for i := range f {
		f[i] = sync.OnceValues(func() (Backend, error) { return find(Kind(i)) })
	}
	return f
}()

// Find returns this process's server of a kind: the one that the environment names, or else a
// private one, which it starts at the first call. It is safe for concurrent use, and later calls
// return the same. Tests call [Redis] and its like; who calls Find without [Main] must call
// [Close].
func Find(kind Kind) (Backend, error) { return finders[kind]() }

func find(k Kind) (Backend, error) {
	b := Backend{Kind: k}
	if url := os.Getenv(k.Env()); url != "" {
		b.URL, b.Addr = url, kinds[k].addr(url)
		// Only to report it: a server that wants a password or TLS may not tell.
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		first, _, _ := strings.Cut(b.Addr, ",")
		b.Version, _ = kinds[k].probe(ctx, first)
	} else {
		s, err := launch(k)
		if err != nil {
			return b, err
		}
		b = s.backend()
	}
	return b, nil
}
