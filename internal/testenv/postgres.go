package testenv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

var postgresKind = kind{
	name:  "postgres",
	env:   "SCSKIT_TEST_POSTGRES",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		n, err := postgresNode(filepath.Join(dir, "data"))
		return []*node{n}, err
	},
	probe: probePostgres,
	url: func(addrs []string) string {
		return "postgres://postgres@" + addrs[0] + "/postgres?sslmode=disable"
	},
	addr: func(dsn string) string {
		if u, err := url.Parse(dsn); err == nil && u.Host != "" {
			return u.Host
		}
		var host, port string
		for _, field := range strings.Fields(dsn) {
			switch key, value, _ := strings.Cut(field, "="); key {
			case "host":
				host = value
			case "port":
				port = ":" + value
			}
		}
		return host + port
	},
}

// postgresNode makes a database cluster. PostgreSQL refuses to run as root.
func postgresNode(dir string) (*node, error) {
	const patterns = "/usr/lib/postgresql/*/bin/"
	initdb, err := program("initdb", patterns+"initdb")
	if err != nil {
		return nil, err
	}
	path, err := program("postgres", patterns+"postgres")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	user, err := unprivileged("postgres")
	if err != nil {
		return nil, err
	}
	if err := user.own(dir); err != nil {
		return nil, err
	}
	args := []string{
		"-D", dir, "-p", portOf(addr), "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
		"-c", "fsync=on", "-c", "synchronous_commit=on", "-c", "shared_buffers=32MB", "-c", "max_connections=200",
	}
	if hasStatistics(path) {
		args = append(args, "-c", "shared_preload_libraries=pg_stat_statements")
	}
	n := &node{
		addr: addr, dir: dir, path: path, user: user, args: args,
		// A smart shutdown, SIGTERM, would wait for the clients; a fast one ends their connections.
		stop: syscall.SIGINT,
		// The processes that a killed postmaster leaves end by themselves, a moment later.
		busy: "pre-existing shared memory block",
	}
	return n, n.prepare(initdb, "--pgdata", dir, "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions")
}

// hasStatistics reports whether the module pg_stat_statements, which has to be loaded at the start, is installed beside
// the server; some distributions have it in a package of its own.
func hasStatistics(server string) bool {
	server, err := filepath.EvalSymlinks(server)
	if err != nil {
		return false
	}
	home := filepath.Dir(filepath.Dir(server))
	for _, dir := range []string{"lib", "lib/postgresql", "lib64/pgsql"} {
		found, _ := filepath.Glob(filepath.Join(home, dir, "pg_stat_statements.*"))
		if len(found) > 0 {
			return true
		}
	}
	return false
}

// probePostgres logs in, as far as that needs no password, and reads the version that the server announces.
func probePostgres(ctx context.Context, addr string) (string, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	const protocol = 3 << 16
	params := "user\x00postgres\x00database\x00postgres\x00\x00"
	startup := binary.BigEndian.AppendUint32(nil, uint32(8+len(params)))
	startup = binary.BigEndian.AppendUint32(startup, protocol)
	if _, err := conn.Write(append(startup, params...)); err != nil {
		return "", err
	}
	version := "PostgreSQL"
	for {
		var head [5]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return "", err
		}
		size := binary.BigEndian.Uint32(head[1:])
		if size < 4 || size > 1<<16 {
			return "", fmt.Errorf("postgres sends a message of %d bytes", size)
		}
		body := make([]byte, size-4)
		if _, err := io.ReadFull(conn, body); err != nil {
			return "", err
		}
		switch head[0] {
		case 'R':
			if len(body) < 4 || binary.BigEndian.Uint32(body) != 0 {
				return "", errors.New("postgres wants a password")
			}
		case 'S':
			if name, value, _ := strings.Cut(string(body), "\x00"); name == "server_version" {
				number, _, _ := strings.Cut(strings.TrimRight(value, "\x00"), " ")
				version = "PostgreSQL " + number
			}
		case 'E':
			return "", fmt.Errorf("postgres: %s", strings.ReplaceAll(string(body), "\x00", " "))
		case 'Z':
			_, _ = conn.Write([]byte{'X', 0, 0, 0, 4})
			return version, nil
		}
	}
}
