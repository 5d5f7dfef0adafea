package testenv

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pgBouncerKind is a PgBouncer in transaction mode, in front of a PostgreSQL of its own.
var pgBouncerKind = kind{
	name:  "pgbouncer",
	env:   "SCSKIT_TEST_PGBOUNCER",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		server, err := postgresNode(filepath.Join(dir, "data"), installedPostgres)
		if err != nil {
			return nil, err
		}
		pooler, err := pgBouncerNode(filepath.Join(dir, "pooler"), server)
		return []*node{pooler, server}, err
	},
	probe: probePgBouncer,
	url:   postgresURL,
	addr:  postgresAddr,
}

func pgBouncerNode(dir string, server *node) (*node, error) {
	path, err := program("pgbouncer")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	if err := server.user.own(dir); err != nil {
		return nil, err
	}
	// server_login_retry makes PgBouncer retry soon when a login fails while the server starts.
	config := fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 40
max_client_conn = 500
server_login_retry = 0.1
`, portOf(server.addr), portOf(addr))
	version, err := exec.Command(path, "--version").Output() //nolint:noctx // answers at once
	if err != nil {
		return nil, err
	}
	var minor int
	if _, err := fmt.Sscanf(string(version), "PgBouncer 1.%d", &minor); err != nil {
		return nil, fmt.Errorf("%s --version: %q: %w", path, version, err)
	}
	if minor >= 21 { // behave as older versions, which do not track prepared statements
		config += "max_prepared_statements = 0\n"
	}
	file := filepath.Join(filepath.Dir(dir), "pgbouncer.ini")
	if err := writeShared(file, config); err != nil {
		return nil, err
	}
	return &node{addr: addr, dir: dir, path: path, user: server.user, args: []string{file}}, nil
}

// probePgBouncer returns the version of the server and, if there is one, that of the PgBouncer in
// front of it.
func probePgBouncer(ctx context.Context, addr string) (string, error) {
	version, err := probePostgres(ctx, addr)
	if err != nil {
		return "", err
	}
	pooler, err := loginPostgres(ctx, addr, "pgbouncer")
	if number, ok := strings.CutSuffix(pooler, "/bouncer"); ok && err == nil {
		version = "PgBouncer " + number + ", " + version
	}
	return version, nil
}
