// Package mysql registers MySQL and MariaDB with package stores, so that stores.Open accepts mysql:
// URLs. It uses go-sql-driver/mysql. Import it for that effect:
//
//	import _ "github.com/scskit/scskit/stores/mysql"
package mysql

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/sqlurl"
	"github.com/scskit/scskit/internal/storeurl"
	"github.com/scskit/scskit/stores/sqlstore"
)

// clientParams are the parameters passed to go-sql-driver, which would send any other name to the
// server as a setting. The last line has settings of the server.
var clientParams = []string{
	"tls", "timeout", "readTimeout", "writeTimeout", "charset", "collation", "maxAllowedPacket",
	"compress", "interpolateParams", "allowCleartextPasswords", "allowFallbackToPlaintext",
	"allowNativePasswords", "checkConnLiveness", "rejectReadOnly", "connectionAttributes",
	"innodb_lock_wait_timeout", "wsrep_sync_wait",
}

func init() {
	storeurl.Register(storeurl.Backend{
		Schemes: []string{"mysql"}, Name: "MySQL",
		Syntax:    "mysql://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE",
		Socket:    "mysql://USER@/DATABASE?socket=PATH",
		Params:    sqlurl.Params([]string{"socket", "tls_ca"}, clientParams),
		Authority: "tls_ca", Advise: advise, Open: open,
	})
}

func open(
	_ context.Context, l *storeurl.URL, shared scskit.Options,
) (*scskit.Store, func() error, error) {
	if l.Path == "" || strings.Contains(l.Path, "/") {
		return nil, nil, l.Lacks("database")
	}
	// ParseDSN takes any other value as the name of a registered TLS configuration.
	switch l.Params.String("tls") {
	case "", "true", "false", "preferred", "skip-verify":
	default:
		return nil, nil, errors.New("the parameter tls must be true, false, preferred or skip-verify")
	}
	cfg, err := mysql.ParseDSN("tcp(localhost)/?" + l.Params.Pick(clientParams).Encode())
	if err != nil {
		return nil, nil, err
	}
	socket := l.Params.String("socket")
	switch {
	case socket != "" && len(l.Hosts) > 0:
		return nil, nil, errors.New("the parameter socket replaces the host: write " +
			"mysql://USER@/DATABASE?socket=PATH")
	case socket != "":
		cfg.Net, cfg.Addr = "unix", socket
	default:
		host, err := l.OneHost()
		if err != nil {
			return nil, nil, err
		}
		cfg.Addr = storeurl.Address(host, "3306")
	}
	cfg.User, cfg.Passwd, cfg.DBName = l.User, l.Password, l.Path
	if cfg.Timeout == 0 {
		cfg.Timeout = storeurl.ConnectTimeout
	}
	if cfg.Params == nil {
		cfg.Params = make(map[string]string)
	}
	if cfg.Params["innodb_lock_wait_timeout"] == "" {
		cfg.Params["innodb_lock_wait_timeout"] = "3"
	}
	if err := setTLS(l, cfg); err != nil {
		return nil, nil, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, nil, err
	}
	l.Verified = verified
	return sqlurl.Open(l, sql.OpenDB(connector), sqlstore.MySQL(), sqlurl.ServerPool, shared)
}

func setTLS(l *storeurl.URL, cfg *mysql.Config) (err error) {
	host, _, _ := strings.Cut(cfg.Addr, ":")
	if len(l.Hosts) > 0 {
		host, _ = storeurl.SplitHost(l.Hosts[0])
	}
	switch mode := l.Params.String("tls"); {
	case l.Params.String("tls_ca") == "" && mode != "true": // ParseDSN has set cfg.TLS
		return nil
	case mode != "" && mode != "true":
		return errors.New("tls_ca requires that certificates are verified: write tls=true")
	}
	cfg.TLS, err = l.TLSConfig(host, false)
	return err
}

func advise(l *storeurl.URL, err error) string {
	var answer *mysql.MySQLError
	switch encrypted := l.Params.String("tls") + l.Params.String("tls_ca"); {
	case errors.Is(err, mysql.ErrNoTLS):
		return storeurl.HasNoTLS + "tls=false, without tls_ca"
	case !errors.As(err, &answer):
	case answer.Number == 3159: // ER_SECURE_TRANSPORT_REQUIRED
		return storeurl.WantsTLS + "tls=true"
	case answer.Number == 1045 && encrypted == "":
		// ER_ACCESS_DENIED_ERROR, which MariaDB also sends if the account requires TLS.
		return storeurl.CheckPassword + "; if the server requires TLS, write tls=true"
	case answer.Number == 1045:
		return storeurl.CheckPassword
	}
	return ""
}

// verified returns a plain error if the database does not exist. The store's own error matches
// driver.ErrNoSchema, as if only the table were missing, but CreateSchema creates no database.
func verified(_ context.Context, err error) error {
	var answer *mysql.MySQLError
	if errors.As(err, &answer) && answer.Number == 1049 { // ER_BAD_DB_ERROR
		return answer
	}
	return err
}
