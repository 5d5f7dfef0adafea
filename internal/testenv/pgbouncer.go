package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// pgBouncerKind is a pooler in transaction mode, and a PostgreSQL of its own behind it.
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
	// A login that fails while the server starts is tried again at once.
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
	if minor >= 21 { // as the older ones are: prepared statements get lost
		config += "max_prepared_statements = 0\n"
	}
	file := filepath.Join(filepath.Dir(dir), "pgbouncer.ini")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil { //nolint:gosec // its user reads it
		return nil, err
	}
	return &node{addr: addr, dir: dir, path: path, user: server.user, args: []string{file}}, nil
}

// probePgBouncer asks the server, and the pooler in front of it, if it is one.
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
