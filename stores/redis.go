package stores

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/redisstore"
)

// redisClientParams are those of redis.ParseURL that all three kinds of client have.
var redisClientParams = []string{
	"protocol", "client_name", "max_retries", "min_retry_backoff", "max_retry_backoff", "dial_timeout", "read_timeout", "write_timeout",
	"pool_fifo", "pool_size", "pool_timeout", "min_idle_conns", "max_idle_conns", "max_active_conns",
	"conn_max_idle_time", "conn_max_lifetime", "conn_max_lifetime_jitter",
}

var redisParams = append([]string{"prefix", "tls_ca", "skip_verify"}, redisClientParams...)

func openRedis(ctx context.Context, l *location, shared scskit.Options) (*scskit.Store, func() error, error) {
	if len(l.hosts) > 1 {
		return nil, nil, errors.New("there is more than one host: for a Cluster write redis+cluster://, with Sentinels redis+sentinel://")
	}
	o, err := l.redisOptions("6379", l.path)
	if err != nil {
		return nil, nil, err
	}
	simple := o.Simple()
	if socket := l.params.string("socket"); socket != "" {
		simple.Network, simple.Addr = "unix", socket
	}
	client := redis.NewClient(simple)
	l.verified = func(ctx context.Context, err error) error { return refuseNode(ctx, client, err) }
	return l.redisStore(client, shared)
}

// refuseNode tells of a server that is a node of a Cluster, which answers for a part of the
// sessions only. One that does not say is none.
func refuseNode(ctx context.Context, client *redis.Client, err error) error {
	var answer redis.Error
	if moved := errors.As(err, &answer) && redis.HasErrorPrefix(answer, "MOVED"); err != nil && !moved {
		return err
	}
	if info, _ := client.Info(ctx, "cluster").Result(); err == nil && !strings.Contains(info, "cluster_enabled:1") {
		return nil
	}
	return errors.New("the server is a node of a Cluster: write redis+cluster:// or rediss+cluster://")
}

func openRedisCluster(_ context.Context, l *location, shared scskit.Options) (*scskit.Store, func() error, error) {
	if l.path != "" {
		return nil, nil, fmt.Errorf("a Cluster has no databases to choose from, and so the URL no path: write %s", l.backend.syntax)
	}
	o, err := l.redisOptions("6379", "")
	if err != nil {
		return nil, nil, err
	}
	return l.redisStore(redis.NewClusterClient(o.Cluster()), shared)
}

func openRedisSentinel(_ context.Context, l *location, shared scskit.Options) (*scskit.Store, func() error, error) {
	master, db, _ := strings.Cut(l.path, "/")
	if master == "" {
		return nil, nil, l.lacks("name of the master")
	}
	o, err := l.redisOptions("26379", db)
	if err != nil {
		return nil, nil, err
	}
	o.MasterName = master
	o.SentinelUsername, o.SentinelPassword = l.params.string("sentinel_username"), l.params.string("sentinel_password")
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // each Sentinel and each server has its own
	}
	return l.redisStore(redis.NewFailoverClient(o.Failover()), shared)
}

func (l *location) redisStore(client redis.UniversalClient, shared scskit.Options) (*scskit.Store, func() error, error) {
	store, err := redisstore.New(client, &redisstore.Options{Options: shared, Prefix: l.params.string("prefix")})
	if err != nil {
		return nil, nil, errors.Join(err, client.Close())
	}
	return store, client.Close, nil
}

// redisOptions has the client itself read its parameters, and adds what else the URL says.
func (l *location) redisOptions(port, db string) (*redis.UniversalOptions, error) {
	switch socket := l.params.string("socket") != ""; {
	case !socket && len(l.hosts) == 0:
		return nil, l.lacksHost()
	case socket && len(l.hosts) > 0:
		return nil, errors.New("the parameter socket is in place of a host: redis:///DB?socket=PATH")
	case socket && l.scheme != "redis":
		return nil, errors.New("a socket has no TLS: write redis:///DB?socket=PATH")
	}
	if db = strings.TrimSuffix(db, "/"); len(db) > 9 || strings.Trim(db, "0123456789") != "" {
		return nil, fmt.Errorf("the database must be a number: write %s", l.backend.syntax)
	}
	if l.user != "" && l.password == "" {
		return nil, errors.New("the user name has no password: a password alone is written redis://:PASSWORD@HOST")
	}
	p, err := redis.ParseURL("redis://localhost/" + db + "?" + l.params.pick(redisClientParams).Encode())
	if err != nil {
		return nil, err
	}
	o := &redis.UniversalOptions{
		DB: p.DB, Username: l.user, Password: l.password,
		Protocol: p.Protocol, ClientName: p.ClientName,
		MaxRetries: p.MaxRetries, MinRetryBackoff: p.MinRetryBackoff, MaxRetryBackoff: p.MaxRetryBackoff,
		DialTimeout: p.DialTimeout, ReadTimeout: p.ReadTimeout, WriteTimeout: p.WriteTimeout, ContextTimeoutEnabled: true,
		PoolFIFO: p.PoolFIFO, PoolSize: p.PoolSize, PoolTimeout: p.PoolTimeout,
		MinIdleConns: p.MinIdleConns, MaxIdleConns: p.MaxIdleConns, MaxActiveConns: p.MaxActiveConns,
		ConnMaxIdleTime: p.ConnMaxIdleTime, ConnMaxLifetime: p.ConnMaxLifetime, ConnMaxLifetimeJitter: p.ConnMaxLifetimeJitter,
	}
	for _, h := range l.hosts {
		o.Addrs = append(o.Addrs, address(h, port))
	}
	o.TLSConfig, err = l.redisTLS()
	return o, err
}

func (l *location) redisTLS() (*tls.Config, error) {
	skip, err := l.params.bool("skip_verify")
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(l.scheme, "rediss") {
		if skip || l.params.string("tls_ca") != "" {
			return nil, fmt.Errorf("tls_ca and skip_verify are for TLS: write rediss%s://", strings.TrimPrefix(l.scheme, "redis"))
		}
		return nil, nil
	}
	host, _ := splitHost(l.hosts[0])
	return l.tlsConfig(host, skip)
}

// tlsConfig trusts the certificates that tls_ca names, or those of the system.
func (l *location) tlsConfig(host string, skipVerify bool) (*tls.Config, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: skipVerify} //nolint:gosec // the URL asks for it
	file := l.params.string("tls_ca")
	if file == "" {
		return c, nil
	}
	if skipVerify {
		return nil, errors.New("tls_ca has no use where certificates are not verified: leave one of the two out")
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("tls_ca: %w", err)
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls_ca: %s has no certificate in PEM", file)
	}
	return c, nil
}
