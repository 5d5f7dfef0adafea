// Package postgres registers PostgreSQL with package stores, so that stores.Open accepts postgres:
// URLs. It uses pgx. Import it for that effect:
//
//	import _ "github.com/scskit/scskit/stores/postgres"
package postgres

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/sqlurl"
	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/stores/sqlstore"
)

// clientParams are the parameters passed to pgx, which would send any other name to the server as a
// setting.
var clientParams = []string{
	"sslmode", "sslrootcert", "sslcert", "sslkey", "sslsni", "sslnegotiation", "channel_binding",
	"connect_timeout", "target_session_attrs", "passfile",
	"default_query_exec_mode", "statement_cache_capacity", "description_cache_capacity",
	"application_name", "search_path", "statement_timeout", "lock_timeout", "idle_session_timeout",
	"idle_in_transaction_session_timeout", "synchronous_commit",
}

func init() {
	storeurl.Register(storeurl.Backend{
		Schemes: []string{"postgres", "postgresql"}, Name: "PostgreSQL",
		Syntax:    "postgres://[USER[:PASSWORD]@]HOST[:PORT],…/DATABASE",
		Socket:    "postgres:///DATABASE?host=DIRECTORY",
		Params:    sqlurl.Params([]string{"host"}, clientParams),
		Authority: "sslrootcert", Advise: advise, Open: open,
	})
}

func open(
	_ context.Context, l *storeurl.URL, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	if l.Path == "" {
		return nil, nil, l.Lacks("database")
	}
	var hosts, ports []string
	for _, h := range l.Hosts {
		host, port := storeurl.SplitHost(h)
		if port == "" {
			port = "5432"
		}
		hosts, ports = append(hosts, host), append(ports, port)
	}
	socket := l.Params.String("host")
	switch {
	case socket == "" && len(hosts) == 0:
		return nil, nil, l.LacksHost()
	case socket != "" && (len(hosts) > 0 || !strings.HasPrefix(socket, "/")):
		return nil, nil, errors.New("the parameter host is the directory of a socket, and replaces the " +
			"host: write postgres:///DATABASE?host=/var/run/postgresql")
	case socket != "":
		hosts = []string{socket}
	}
	settings := l.Params.Pick(clientParams)
	settings.Set("host", strings.Join(hosts, ","))
	settings.Set("port", strings.Join(ports, ","))
	settings.Set("dbname", l.Path)
	settings.Set("user", l.User)
	cfg, err := pgx.ParseConfig(conninfo(settings))
	if err != nil {
		return nil, nil, err
	}
	if l.Password != "" { // not in conninfo, because errors of ParseConfig may quote it
		cfg.Password = l.Password
	}
	if l.Params.String("connect_timeout") == "" {
		cfg.ConnectTimeout = storeurl.ConnectTimeout
	}
	return sqlurl.Open(l, stdlib.OpenDB(*cfg), sqlstore.PostgreSQL(), sqlurl.ServerPool, shared)
}

// conninfo returns settings as a libpq keyword/value connection string.
func conninfo(settings url.Values) string {
	escape := strings.NewReplacer(`\`, `\\`, `'`, `\'`)
	var words []string
	for name := range settings {
		if value := settings.Get(name); value != "" {
			words = append(words, name+"='"+escape.Replace(value)+"'")
		}
	}
	slices.Sort(words)
	return strings.Join(words, " ")
}

func advise(_ *storeurl.URL, err error) string {
	var answer *pgconn.PgError
	switch {
	case strings.Contains(err.Error(), "server refused TLS connection"): // not an exported error
		return storeurl.HasNoTLS + "sslmode=disable"
	case !errors.As(err, &answer):
	case answer.Code == "28P01": // invalid_password
		return storeurl.CheckPassword
	case answer.Code == "28000" && strings.Contains(answer.Message, "no encryption"):
		return storeurl.WantsTLS + "sslmode=verify-full"
	}
	return ""
}
