// Package redis has stores.Open take the URLs of Redis, of Redis Cluster and of Redis behind
// Sentinels. It is imported for that alone:
//
//	import _ "github.com/scskit/scskit/stores/redis"
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/stores/redisstore"
)

// clientParams are those of redis.ParseURL that all three kinds of client have.
var clientParams = []string{
	"protocol", "client_name", "max_retries", "min_retry_backoff", "max_retry_backoff", "dial_timeout",
	"read_timeout", "write_timeout",
	"pool_fifo", "pool_size", "pool_timeout", "min_idle_conns", "max_idle_conns", "max_active_conns",
	"conn_max_idle_time", "conn_max_lifetime", "conn_max_lifetime_jitter",
}

var params = append([]string{"prefix", "tls_ca", "skip_verify"}, clientParams...)

func init() {
	storeurl.Register(storeurl.Backend{
		Schemes: []string{"redis", "rediss"}, Name: "Redis",
		Syntax: "redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS",
		Socket: "redis:///DB?socket=PATH", Params: append([]string{"socket"}, params...),
		Authority: "tls_ca", Advise: advise, Open: open,
	})
	storeurl.Register(storeurl.Backend{
		Schemes: []string{"redis+cluster", "rediss+cluster"}, Name: "Redis Cluster",
		Syntax: "redis+cluster://[USER:PASSWORD@]HOST[:PORT],…, or rediss+cluster://",
		Params: params, Authority: "tls_ca", Advise: advise, Open: openCluster,
	})
	storeurl.Register(storeurl.Backend{
		Schemes: []string{"redis+sentinel", "rediss+sentinel"}, Name: "Redis Sentinel",
		Syntax:    "redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER[/DB], or rediss+sentinel://",
		Params:    append([]string{"sentinel_username", "sentinel_password"}, params...),
		Authority: "tls_ca", Advise: advise, Open: openSentinel,
	})
}

func open(ctx context.Context, l *storeurl.URL,
	shared scskit.Options) (*scskit.Store, func() error, error) {
	if len(l.Hosts) > 1 {
		return nil, nil, errors.New("there is more than one host: for a Cluster write " +
			"redis+cluster://, with Sentinels redis+sentinel://")
	}
	o, err := options(l, "6379", l.Path)
	if err != nil {
		return nil, nil, err
	}
	simple := o.Simple()
	if socket := l.Params.String("socket"); socket != "" {
		simple.Network, simple.Addr = "unix", socket
	}
	client := redis.NewClient(simple)
	l.Verified = func(ctx context.Context, err error) error { return refuseNode(ctx, client, err) }
	return newStore(l, client, shared)
}

// refuseNode tells of a server that is a node of a Cluster, which answers for a part of the
// sessions only. One that does not say is none.
func refuseNode(ctx context.Context, client *redis.Client, err error) error {
	var answer redis.Error
	moved := errors.As(err, &answer) && redis.HasErrorPrefix(answer, "MOVED")
	if !moved && !errors.Is(err, driver.ErrNotFound) {
		return err
	}
	if info, _ := client.Info(ctx, "cluster").Result(); !moved &&
		!strings.Contains(info, "cluster_enabled:1") {
		return err
	}
	return errors.New("the server is a node of a Cluster: write redis+cluster:// or rediss+cluster://")
}

func openCluster(_ context.Context, l *storeurl.URL,
	shared scskit.Options) (*scskit.Store, func() error, error) {
	if l.Path != "" {
		return nil, nil, fmt.Errorf("a Cluster has no databases to choose from, and so the URL no "+
			"path: write %s", l.Backend.Syntax)
	}
	o, err := options(l, "6379", "")
	if err != nil {
		return nil, nil, err
	}
	return newStore(l, redis.NewClusterClient(o.Cluster()), shared)
}

func openSentinel(_ context.Context, l *storeurl.URL,
	shared scskit.Options) (*scskit.Store, func() error, error) {
	master, db, _ := strings.Cut(l.Path, "/")
	if master == "" {
		return nil, nil, l.Lacks("name of the master")
	}
	o, err := options(l, "26379", db)
	if err != nil {
		return nil, nil, err
	}
	o.MasterName = master
	o.SentinelUsername, o.SentinelPassword = l.Params.String("sentinel_username"),
		l.Params.String("sentinel_password")
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // each Sentinel and each server has its own
	}
	return newStore(l, redis.NewFailoverClient(o.Failover()), shared)
}

func newStore(l *storeurl.URL, client redis.UniversalClient,
	shared scskit.Options) (*scskit.Store, func() error, error) {
	store, err := redisstore.New(client,
		&redisstore.Options{Options: shared, Prefix: l.Params.String("prefix")})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return store, client.Close, nil
}

// redisOptions has the client itself read its parameters, and adds what else the URL says.
func options(l *storeurl.URL, port, db string) (*redis.UniversalOptions, error) {
	switch socket := l.Params.String("socket") != ""; {
	case !socket && len(l.Hosts) == 0:
		return nil, l.LacksHost()
	case socket && len(l.Hosts) > 0:
		return nil, errors.New("the parameter socket is in place of a host: redis:///DB?socket=PATH")
	case socket && l.Scheme != "redis":
		return nil, errors.New("a socket has no TLS: write redis:///DB?socket=PATH")
	}
	if db = strings.TrimSuffix(db, "/"); len(db) > 9 || strings.Trim(db, "0123456789") != "" {
		return nil, fmt.Errorf("the database must be a number: write %s", l.Backend.Syntax)
	}
	if l.User != "" && l.Password == "" {
		return nil, errors.New("the user name has no password: a password alone is written " +
			"redis://:PASSWORD@HOST")
	}
	p, err := redis.ParseURL("redis://localhost/" + db + "?" + l.Params.Pick(clientParams).Encode())
	if err != nil {
		return nil, err
	}
	o := &redis.UniversalOptions{
		DB: p.DB, Username: l.User, Password: l.Password,
		Protocol: p.Protocol, ClientName: p.ClientName,
		MaxRetries: p.MaxRetries, MinRetryBackoff: p.MinRetryBackoff, MaxRetryBackoff: p.MaxRetryBackoff,
		DialTimeout: p.DialTimeout, ReadTimeout: p.ReadTimeout, WriteTimeout: p.WriteTimeout,
		ContextTimeoutEnabled: true,
		PoolFIFO:              p.PoolFIFO, PoolSize: p.PoolSize, PoolTimeout: p.PoolTimeout,
		MinIdleConns: p.MinIdleConns, MaxIdleConns: p.MaxIdleConns, MaxActiveConns: p.MaxActiveConns,
		ConnMaxIdleTime: p.ConnMaxIdleTime, ConnMaxLifetime: p.ConnMaxLifetime,
		ConnMaxLifetimeJitter: p.ConnMaxLifetimeJitter,
	}
	for _, h := range l.Hosts {
		o.Addrs = append(o.Addrs, storeurl.Address(h, port))
	}
	o.TLSConfig, err = tlsConfig(l)
	return o, err
}

func tlsConfig(l *storeurl.URL) (*tls.Config, error) {
	skip, err := l.Params.Bool("skip_verify")
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(l.Scheme, "rediss") {
		if skip || l.Params.String("tls_ca") != "" {
			return nil, fmt.Errorf("tls_ca and skip_verify are for TLS: write rediss%s://",
				strings.TrimPrefix(l.Scheme, "redis"))
		}
		return nil, nil
	}
	host, _ := storeurl.SplitHost(l.Hosts[0])
	return l.TLSConfig(host, skip)
}

func advise(l *storeurl.URL, err error) string {
	var answer redis.Error
	var plain tls.RecordHeaderError
	kind, encrypted := strings.CutPrefix(strings.TrimPrefix(l.Scheme, "redis"), "s")
	switch {
	case errors.Is(err, io.EOF) && !encrypted:
		return "does the server want TLS? Then write rediss" + kind +
			"://; or is it no Redis? Check the port"
	case encrypted && (errors.Is(err, io.EOF) || errors.As(err, &plain) ||
		errors.Is(err, context.DeadlineExceeded)):
		return "does the server have no TLS? Then write redis" + kind +
			"://; or is it no Redis? Check the port"
	case isStrange(err):
		return "the server does not speak Redis's protocol: check the host and the port"
	case !errors.As(err, &answer):
	case redis.HasErrorPrefix(answer, "NOAUTH"):
		return "the server wants a password: write " + l.Backend.Syntax
	case redis.HasErrorPrefix(answer, "WRONGPASS"):
		return storeurl.CheckPassword
	}
	return ""
}

// isStrange reports whether the client did not understand an answer.
func isStrange(err error) bool {
	text := err.Error()
	return strings.Contains(text, "redis: invalid reply") ||
		strings.Contains(text, "redis: can't parse")
}
