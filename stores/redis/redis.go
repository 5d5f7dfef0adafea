// Package redis registers the URLs of Redis, Redis Cluster and Redis Sentinel with stores.Open.
// Import it for this effect only:
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

// clientParams are the parameters of redis.ParseURL that all three kinds of client support.
var clientParams = []string{
	"protocol", "client_name",
	"max_retries", "min_retry_backoff", "max_retry_backoff",
	"dial_timeout", "read_timeout", "write_timeout",
	"pool_fifo", "pool_size", "pool_timeout",
	"min_idle_conns", "max_idle_conns", "max_active_conns",
	"conn_max_idle_time", "conn_max_lifetime", "conn_max_lifetime_jitter",
}

var params = append([]string{"prefix", "tls_ca", "skip_verify"}, clientParams...)

func init() {
	storeurl.Register(storeurl.Backend{
		Schemes:   []string{"redis", "rediss"},
		Name:      "Redis",
		Syntax:    "redis://[USER:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS",
		Socket:    "redis:///DB?socket=PATH",
		Params:    append([]string{"socket"}, params...),
		Authority: "tls_ca",
		Advise:    advise,
		Open:      open,
	})
	storeurl.Register(storeurl.Backend{
		Schemes:   []string{"redis+cluster", "rediss+cluster"},
		Name:      "Redis Cluster",
		Syntax:    "redis+cluster://[USER:PASSWORD@]HOST[:PORT],…, or rediss+cluster://",
		Params:    params,
		Authority: "tls_ca",
		Advise:    advise,
		Open:      openCluster,
	})
	storeurl.Register(storeurl.Backend{
		Schemes:   []string{"redis+sentinel", "rediss+sentinel"},
		Name:      "Redis Sentinel",
		Syntax:    "redis+sentinel://[USER:PASSWORD@]HOST[:PORT],…/MASTER[/DB], or rediss+sentinel://",
		Params:    append([]string{"sentinel_username", "sentinel_password"}, params...),
		Authority: "tls_ca",
		Advise:    advise,
		Open:      openSentinel,
	})
}

func open(
	ctx context.Context, l *storeurl.URL, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	if len(l.Hosts) > 1 {
		return nil, nil, errors.New("the URL has more than one host: write redis+cluster:// for a " +
			"Cluster, or redis+sentinel:// for Sentinel")
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

// refuseNode returns an error if the server is a node of a Cluster, because a node holds only a
// part of the sessions. Otherwise it returns err. It assumes that the server is not a node if INFO
// fails.
func refuseNode(ctx context.Context, client *redis.Client, err error) error {
	var answer redis.Error
	moved := errors.As(err, &answer) && redis.HasErrorPrefix(answer, "MOVED")
	if !moved && !errors.Is(err, driver.ErrNotFound) {
		return err
	}
	info, _ := client.Info(ctx, "cluster").Result()
	if !moved && !strings.Contains(info, "cluster_enabled:1") {
		return err
	}
	return errors.New("the server is a node of a Cluster: write redis+cluster:// or rediss+cluster://")
}

func openCluster(
	_ context.Context, l *storeurl.URL, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	if l.Path != "" {
		return nil, nil, fmt.Errorf("the URL of a Cluster must have no path, because a Cluster "+
			"has one database: write %s", l.Backend.Syntax)
	}
	o, err := options(l, "6379", "")
	if err != nil {
		return nil, nil, err
	}
	return newStore(l, redis.NewClusterClient(o.Cluster()), shared)
}

func openSentinel(
	_ context.Context, l *storeurl.URL, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	master, db, _ := strings.Cut(l.Path, "/")
	if master == "" {
		return nil, nil, l.Lacks("name of the master")
	}
	o, err := options(l, "26379", db)
	if err != nil {
		return nil, nil, err
	}
	o.MasterName = master
	o.SentinelUsername = l.Params.String("sentinel_username")
	o.SentinelPassword = l.Params.String("sentinel_password")
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // crypto/tls then uses the name of each server
	}
	return newStore(l, redis.NewFailoverClient(o.Failover()), shared)
}

func newStore(
	l *storeurl.URL, client redis.UniversalClient, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	opts := &redisstore.Options{Options: shared, Prefix: l.Params.String("prefix")}
	store, err := redisstore.New(client, opts)
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return store, client.Close, nil
}

// options returns the client's options. redis.ParseURL parses the parameters of the client.
func options(l *storeurl.URL, port, db string) (*redis.UniversalOptions, error) {
	switch socket := l.Params.String("socket") != ""; {
	case !socket && len(l.Hosts) == 0:
		return nil, l.LacksHost()
	case socket && len(l.Hosts) > 0:
		return nil, errors.New("the parameter socket replaces the host: write redis:///DB?socket=PATH")
	case socket && l.Scheme != "redis":
		return nil, errors.New("a socket has no TLS: write redis:///DB?socket=PATH")
	}
	if db = strings.TrimSuffix(db, "/"); len(db) > 9 || strings.Trim(db, "0123456789") != "" {
		return nil, fmt.Errorf("the database must be a number: write %s", l.Backend.Syntax)
	}
	if l.User != "" && l.Password == "" {
		return nil, errors.New("the URL has a user but no password: write a password without a " +
			"user as redis://:PASSWORD@HOST")
	}
	p, err := redis.ParseURL("redis://localhost/" + db + "?" + l.Params.Pick(clientParams).Encode())
	if err != nil {
		return nil, err
	}
	o := &redis.UniversalOptions{
		DB:                    p.DB,
		Username:              l.User,
		Password:              l.Password,
		Protocol:              p.Protocol,
		ClientName:            p.ClientName,
		MaxRetries:            p.MaxRetries,
		MinRetryBackoff:       p.MinRetryBackoff,
		MaxRetryBackoff:       p.MaxRetryBackoff,
		DialTimeout:           p.DialTimeout,
		ReadTimeout:           p.ReadTimeout,
		WriteTimeout:          p.WriteTimeout,
		ContextTimeoutEnabled: true,
		PoolFIFO:              p.PoolFIFO,
		PoolSize:              p.PoolSize,
		PoolTimeout:           p.PoolTimeout,
		MinIdleConns:          p.MinIdleConns,
		MaxIdleConns:          p.MaxIdleConns,
		MaxActiveConns:        p.MaxActiveConns,
		ConnMaxIdleTime:       p.ConnMaxIdleTime,
		ConnMaxLifetime:       p.ConnMaxLifetime,
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
	noTLS := errors.Is(err, io.EOF) || errors.As(err, &plain) ||
		errors.Is(err, context.DeadlineExceeded)
	switch {
	case errors.Is(err, io.EOF) && !encrypted:
		return "if the server requires TLS, write rediss" + kind +
			"://; if it is not Redis, check the port"
	case encrypted && noTLS:
		return "if the server has no TLS, write redis" + kind +
			"://; if it is not Redis, check the port"
	case isInvalidReply(err):
		return "the server does not speak Redis's protocol: check the host and the port"
	case !errors.As(err, &answer):
	case redis.HasErrorPrefix(answer, "NOAUTH"):
		return "the server requires a password: write " + l.Backend.Syntax
	case redis.HasErrorPrefix(answer, "WRONGPASS"):
		return storeurl.CheckPassword
	}
	return ""
}

// isInvalidReply reports whether the client could not parse an answer.
func isInvalidReply(err error) bool {
	text := err.Error()
	return strings.Contains(text, "redis: invalid reply") ||
		strings.Contains(text, "redis: can't parse")
}
