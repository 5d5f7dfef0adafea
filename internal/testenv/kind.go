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

	kindToxiproxy = numKinds // not a backend: it implements [Proxy]
)

// prober asks a node for its version over the server's own protocol.
type prober func(ctx context.Context, addr string) (version string, err error)

// kind describes how to start and probe one kind of server.
type kind struct {
	name string
	env  string
	// nodes prepares the data directories below dir and returns the programs to run.
	nodes func(dir string) ([]*node, error)
	// join makes one server of the running nodes. It is nil if they need no such step.
	join  func(ctx context.Context, nodes []*node) error
	probe prober
	// url returns [Backend.URL] for the addresses of private nodes.
	url func(addrs []string) string
	// addr returns [Backend.Addr] for a URL from the environment, or "" if it finds no address.
	addr func(url string) string
	// ready is how long a node may take until its probe succeeds.
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

// String returns the name of the kind in SCSKIT_SKIP_BACKENDS and in error messages.
func (k Kind) String() string { return kinds[k].name }

// Env returns the name of the environment variable that selects a server of this kind.
func (k Kind) Env() string { return kinds[k].env }

// Backend is a server that tests may use.
type Backend struct {
	Kind Kind
	// URL is the URL, DSN or address for clients. Its form depends on the kind; see the package
	// documentation.
	URL string
	// Addr is the address without credentials: host:port, or several of them, separated by commas.
	Addr string
	// Version is the server's name and version. It may be empty for a server from the environment.
	Version string
	// Private reports whether this process started the server. PIDs and Started are set only then.
	Private bool
	PIDs    []int
	Started time.Duration // how long the start took
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
	took := b.Started.Round(time.Millisecond)
	return fmt.Sprintf("%s: %s at %s, private, ready in %s", b.Kind, version, b.Addr, took)
}

var finders = func() (f [numKinds]func() (Backend, error)) {
	for i := range f {
		f[i] = sync.OnceValues(func() (Backend, error) { return find(Kind(i)) })
	}
	return f
}()

// Find returns the server of a kind: the one from the environment, or else a private one, which the
// first call starts. Later calls return the same server. Find is safe for concurrent use. Tests
// call [Redis] and its siblings instead. A program that calls Find must call [Close] at its end,
// unless it uses [Main].
func Find(kind Kind) (Backend, error) { return finders[kind]() }

func find(k Kind) (Backend, error) {
	b := Backend{Kind: k}
	if url := os.Getenv(k.Env()); url != "" {
		b.URL, b.Addr = url, kinds[k].addr(url)
		// The version is only informative: the probe may fail on a server with a password or TLS.
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
