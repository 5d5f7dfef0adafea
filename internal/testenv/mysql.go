package testenv

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"
)

var mysqlKind = kind{
	name:  "mysql",
	env:   "SCSKIT_TEST_MYSQL",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		n, err := mysqlNode(dir, "")
		return []*node{n}, err
	},
	probe: probeMySQL,
	url:   func(addrs []string) string { return "root@tcp(" + addrs[0] + ")/scskit" },
	addr: func(dsn string) string {
		_, rest, _ := strings.Cut(dsn, "(")
		addr, _, _ := strings.Cut(rest, ")")
		return addr
	},
}

// mysqlNode prepares a MariaDB with an empty database named scskit and a root user without a
// password. InnoDB runs with full durability. The server executes the statements, one per line, at
// each start.
func mysqlNode(dir, statements string, args ...string) (*node, error) {
	install, err := program("mariadb-install-db")
	if err != nil {
		return nil, err
	}
	path, err := program("mariadbd")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	user, err := unprivileged("mysql")
	if err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if err := user.own(data); err != nil {
		return nil, err
	}
	initFile := filepath.Join(dir, "create.sql")
	statements = "CREATE DATABASE IF NOT EXISTS scskit CHARACTER SET utf8mb4;\n" + statements
	if err := writeShared(initFile, statements); err != nil {
		return nil, err
	}
	n := &node{
		addr: addr, dir: data, path: path, user: user,
		args: append([]string{
			"--no-defaults",
			"--datadir=" + data,
			"--init-file=" + initFile,
			"--pid-file=" + filepath.Join(data, "pid"),
			"--socket=" + filepath.Join(data, "s"),
			"--bind-address=127.0.0.1",
			"--port=" + portOf(addr),
			"--skip-name-resolve",
			"--max-connections=300",
			"--innodb-flush-log-at-trx-commit=1",
			"--innodb-log-file-size=16M",
			"--innodb-buffer-pool-size=64M",
		}, args...),
	}
	return n, n.prepare(install, "--no-defaults", "--datadir="+data,
		"--auth-root-authentication-method=normal", "--skip-test-db",
		"--innodb-log-file-size=16M", "--innodb-flush-log-at-trx-commit=0")
}

// probeMySQL reads the greeting that the server sends first.
func probeMySQL(ctx context.Context, addr string) (string, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	var head [5]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return "", err
	}
	size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if size < 1 || size > 1<<16 {
		return "", fmt.Errorf("mysql: unexpected greeting of %d bytes", size)
	}
	rest := make([]byte, size-1)
	if _, err := io.ReadFull(conn, rest); err != nil {
		return "", err
	}
	if head[4] != 10 {
		return "", fmt.Errorf("mysql refuses the connection: %q", rest)
	}
	version, _, found := strings.Cut(string(rest), "\x00")
	if !found {
		return "", errors.New("mysql: no version in the greeting")
	}
	version = strings.TrimPrefix(version, "5.5.5-") // added by MariaDB, for old replicas
	number, _, maria := strings.Cut(version, "-MariaDB")
	if maria {
		return "MariaDB " + number, nil
	}
	return "MySQL " + number, nil
}
