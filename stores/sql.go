package stores

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/stores/sqlstore"
)

const serverPool = 20

var sqlParams = []string{"table", "sweep", "pool_size"}

// postgresParams are those that go to pgx. It would send any other name to the server as a setting.
var postgresParams = []string{
	"sslmode", "sslrootcert", "sslcert", "sslkey", "sslsni", "sslnegotiation", "channel_binding",
	"connect_timeout", "target_session_attrs", "passfile",
	"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity",
	"application_name", "search_path", "statement_timeout", "lock_timeout", "idle_session_timeout",
	"idle_in_transaction_session_timeout", "synchronous_commit",
}

// mysqlParams are those that go to go-sql-driver, which would send any other name to the server as
// a setting.
var mysqlParams = []string{
	"tls", "timeout", "readTimeout", "writeTimeout", "charset", "collation", "maxAllowedPacket", "compress", "interpolateParams",
	"allowCleartextPasswords", "allowFallbackToPlaintext", "allowNativePasswords", "checkConnLiveness", "rejectReadOnly", "connectionAttributes",
	"innodb_lock_wait_timeout", "wsrep_sync_wait",
}

func openPostgres(_ context.Context, l *location, shared scskit.Options) (*scskit.Store, func() error, error) {
	if l.path == "" {
		return nil, nil, l.lacks("database")
	}
	var hosts, ports []string
	for _, h := range l.hosts {
		host, port := splitHost(h)
		if port == "" {
			port = "5432"
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	socket := l.params.string("host")
	switch {
	case socket == "" && len(hosts) == 0:
		return nil, nil, l.lacksHost()
	case socket != "" && (len(hosts) > 0 || !strings.HasPrefix(socket, "/")):
		return nil, nil, errors.New("the parameter host is for the directory of a socket, in place of a host: postgres:///DATABASE?host=/var/run/postgresql")
	case socket != "":
		hosts = []string{socket}
	}
	settings := l.params.pick(postgresParams)
	settings.Set("host", strings.Join(hosts, ","))
	settings.Set("port", strings.Join(ports, ","))
	settings.Set("dbname", l.path)
	settings.Set("user", l.user)
	cfg, err := pgx.ParseConfig(conninfo(settings))
	if err != nil {
		return nil, nil, err
	}
	if l.password != "" { // never seen by the parser, whose errors show what they are about
		cfg.Password = l.password
	}
	if l.params.string("connect_timeout") == "" {
		cfg.ConnectTimeout = connectTimeout
	}
	return l.sqlStore(stdlib.OpenDB(*cfg), sqlstore.PostgreSQL(), serverPool, shared)
}

// conninfo writes settings in libpq's other notation, that of words.
func conninfo(settings url.Values) string {
	var words []string
	for name := range settings {
		if value := settings.Get(name); value != "" {
			words = append(words, name+"='"+strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value)+"'")
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func openMySQL(_ context.Context, l *location, shared scskit.Options) (*scskit.Store, func() error, error) {
	if l.path == "" || strings.Contains(l.path, "/") {
		return nil, nil, l.lacks("database")
	}
	switch l.params.string("tls") { // ParseDSN would take others for the names of settings in the program
	case "", "true", "false", "preferred", "skip-verify":
	default:
		return nil, nil, errors.New("the parameter tls must be true, false, preferred or skip-verify")
	}
	cfg, err := mysql.ParseDSN("tcp(localhost)/?" + l.params.pick(mysqlParams).Encode())
	if err != nil {
		return nil, nil, err
	}
	socket := l.params.string("socket")
	switch {
	case socket != "" && len(l.hosts) > 0:
		return nil, nil, errors.New("the parameter socket is in place of a host: mysql://USER@/DATABASE?socket=PATH")
	case socket != "":
		cfg.Net, cfg.Addr = "unix", socket
	default:
		host, err := l.oneHost()
		if err != nil {
			return nil, nil, err
		}
		cfg.Addr = address(host, "3306")
	}
	cfg.User, cfg.Passwd, cfg.DBName = l.user, l.password, l.path
	if cfg.Timeout == 0 {
		cfg.Timeout = connectTimeout
	}
	if cfg.Params == nil {
		cfg.Params = make(map[string]string)
	}
	if cfg.Params["innodb_lock_wait_timeout"] == "" {
		cfg.Params["innodb_lock_wait_timeout"] = "3"
	}
	if err := l.mysqlTLS(cfg); err != nil {
		return nil, nil, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, nil, err
	}
	return l.sqlStore(sql.OpenDB(connector), sqlstore.MySQL(), serverPool, shared)
}

func (l *location) mysqlTLS(cfg *mysql.Config) (err error) {
	host, _, _ := strings.Cut(cfg.Addr, ":")
	if len(l.hosts) > 0 {
		host, _ = splitHost(l.hosts[0])
	}
	switch mode := l.params.string("tls"); {
	case l.params.string("tls_ca") == "" && mode != "true": // ParseDSN has done it
		return nil
	case mode != "" && mode != "true":
		return errors.New("tls_ca has no use where certificates are not verified: write tls=true")
	}
	cfg.TLS, err = l.tlsConfig(host, false)
	return err
}

func (l *location) sqlStore(db *sql.DB, dialect sqlstore.Dialect, pool int, shared scskit.Options) (*scskit.Store, func() error, error) {
	size, err := l.params.positive("pool_size")
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	if size == 0 {
		size = pool
	}
	db.SetMaxOpenConns(size)
	db.SetMaxIdleConns(size)
	db.SetConnMaxIdleTime(5 * time.Minute)
	store, err := sqlstore.New(db, dialect, &sqlstore.Options{Options: shared, Table: l.params.string("table")})
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("the parameter table: %w", err), db.Close())
	}
	return store, db.Close, nil
}
