package testenv

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func postgresKind(name, env string, find func(program string) (string, error)) kind {
	return kind{
		name:  name,
		env:   env,
		ready: 3 * time.Minute,
		nodes: func(dir string) ([]*node, error) {
			n, err := postgresNode(filepath.Join(dir, "data"), find)
			return []*node{n}, err
		},
		probe: probePostgres,
		url:   postgresURL,
		addr:  postgresAddr,
	}
}

func postgresURL(addrs []string) string {
	return "postgres://postgres@" + addrs[0] + "/postgres?sslmode=disable"
}

func postgresAddr(dsn string) string {
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
}

// installedPostgres returns the path of a program of the installed PostgreSQL.
func installedPostgres(name string) (string, error) {
	return program(name, "/usr/lib/postgresql/*/bin/"+name)
}

// builtPostgres18 returns the path of a program of the PostgreSQL 18 in build/backends.
func builtPostgres18(name string) (string, error) { return built("postgresql-18/bin/" + name) }

// postgresNode creates a database cluster, with initArgs as further arguments for initdb.
// PostgreSQL refuses to run as root.
func postgresNode(
	dir string, find func(program string) (string, error), initArgs ...string,
) (*node, error) {
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	path, err := find("postgres")
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
	if !user.reaches(path) { // the checkout may be readable by root alone
		programs := filepath.Join(filepath.Dir(dir), "programs")
		if err := os.CopyFS(programs, os.DirFS(filepath.Dir(filepath.Dir(path)))); err != nil {
			return nil, err
		}
		initdb = filepath.Join(programs, "bin", "initdb")
		path = filepath.Join(programs, "bin", "postgres")
	}
	args := []string{
		"-D", dir,
		"-p", portOf(addr),
		"-c", "listen_addresses=127.0.0.1",
		"-c", "unix_socket_directories=",
		"-c", "fsync=on",
		"-c", "synchronous_commit=on",
		"-c", "shared_buffers=32MB",
		"-c", "max_connections=200",
	}
	if hasStatistics(path) {
		args = append(args, "-c", "shared_preload_libraries=pg_stat_statements")
	}
	n := &node{
		addr: addr, dir: dir, path: path, user: user, args: args,
		// SIGINT requests a fast shutdown. SIGTERM, a smart one, would wait for the clients to leave.
		stop: syscall.SIGINT,
		// The child processes of a killed postmaster end by themselves, but a moment later.
		busy: "pre-existing shared memory block",
	}
	return n, n.prepare(initdb, append([]string{
		"--pgdata", dir, "--username", "postgres", "--auth", "trust",
		"--encoding", "UTF8", "--no-locale", "--no-sync", "--no-instructions",
	}, initArgs...)...)
}

// hasStatistics reports whether the module pg_stat_statements is installed with the server. Some
// distributions have it in a separate package. It works only if the server loads it at its start.
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

// probePostgres logs in without a password and reads the version that the server announces.
func probePostgres(ctx context.Context, addr string) (string, error) {
	version, err := loginPostgres(ctx, addr, "postgres")
	return "PostgreSQL " + version, err
}

// loginPostgres logs into a database and returns the server_version that the server announces.
func loginPostgres(ctx context.Context, addr, database string) (string, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	const protocol = 3 << 16
	params := "user\x00postgres\x00database\x00" + database + "\x00\x00"
	startup := binary.BigEndian.AppendUint32(nil, uint32(8+len(params)))
	startup = binary.BigEndian.AppendUint32(startup, protocol)
	if _, err := conn.Write(append(startup, params...)); err != nil {
		return "", err
	}
	var version string
	for {
		var head [5]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return "", err
		}
		size := binary.BigEndian.Uint32(head[1:])
		if size < 4 || size > 1<<16 {
			return "", fmt.Errorf("postgres: unexpected message of %d bytes", size)
		}
		body := make([]byte, size-4)
		if _, err := io.ReadFull(conn, body); err != nil {
			return "", err
		}
		switch head[0] {
		case 'R':
			if len(body) < 4 || binary.BigEndian.Uint32(body) != 0 {
				return "", errors.New("postgres requires a password")
			}
		case 'S':
			if name, value, _ := strings.Cut(string(body), "\x00"); name == "server_version" {
				version, _, _ = strings.Cut(strings.TrimRight(value, "\x00"), " ")
			}
		case 'E':
			return "", fmt.Errorf("postgres: %s", strings.ReplaceAll(string(body), "\x00", " "))
		case 'Z':
			_, _ = conn.Write([]byte{'X', 0, 0, 0, 4})
			return version, nil
		}
	}
}
