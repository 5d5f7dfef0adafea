package testenv

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

var redisKind = kind{
	name:  "redis",
	env:   "SCSKIT_TEST_REDIS",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		n, err := redisNode(filepath.Join(dir, "data"))
		return []*node{n}, err
	},
	probe: probeRedis,
	url:   func(addrs []string) string { return addrs[0] },
	addr:  func(url string) string { return url },
}

var redisClusterKind = kind{
	name:  "redis-cluster",
	env:   "SCSKIT_TEST_REDIS_CLUSTER",
	ready: 3 * time.Minute,
	nodes: func(dir string) ([]*node, error) {
		var nodes []*node
		for i := range 3 {
			bus, err := freeAddr()
			if err != nil {
				return nil, err
			}
			n, err := redisNode(filepath.Join(dir, fmt.Sprint("node", i)),
				"--cluster-enabled", "yes", "--cluster-port", portOf(bus), "--cluster-node-timeout", "5000")
			if err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
		}
		return nodes, nil
	},
	join:  joinRedisCluster,
	probe: probeRedis,
	url:   func(addrs []string) string { return strings.Join(addrs, ",") },
	addr:  func(url string) string { return url },
}

// redisNode prepares a Redis server that syncs every write to disk before it acknowledges it.
func redisNode(dir string, args ...string) (*node, error) {
	path, err := program("redis-server")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	if err := (*account)(nil).own(dir); err != nil {
		return nil, err
	}
	args = append([]string{
		"--port", portOf(addr), "--bind", "127.0.0.1", "--dir", dir, "--daemonize", "no",
		"--save", "", "--appendonly", "yes", "--appendfsync", "always",
	}, args...)
	return &node{addr: addr, dir: dir, path: path, args: args}, nil
}

func probeRedis(ctx context.Context, addr string) (string, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return redisVersion(conn)
}

// redisVersion returns the version. It sends a PING first: a server that still loads its data would
// answer INFO, but refuse other commands.
func redisVersion(conn net.Conn) (string, error) {
	if _, err := redisAsk(conn, "PING"); err != nil {
		return "", err
	}
	info, err := redisAsk(conn, "INFO", "server")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(info) {
		if version, ok := strings.CutPrefix(line, "redis_version:"); ok {
			return "Redis " + strings.TrimSpace(version), nil
		}
	}
	return "Redis", nil
}

// joinRedisCluster assigns the slots to the nodes and introduces the nodes to each other, unless
// the nodes have their slots already. Then it waits until each node finds the cluster complete.
func joinRedisCluster(ctx context.Context, nodes []*node) error {
	first, err := redisCall(ctx, nodes[0].addr, "CLUSTER", "INFO")
	if err != nil {
		return err
	}
	if strings.Contains(first, "cluster_slots_assigned:0\r") {
		const slots = 16384
		for i, n := range nodes {
			from, to := i*slots/len(nodes), (i+1)*slots/len(nodes)-1
			for _, command := range [][]string{
				{"CLUSTER", "SET-CONFIG-EPOCH", strconv.Itoa(i + 1)},
				{"CLUSTER", "ADDSLOTSRANGE", strconv.Itoa(from), strconv.Itoa(to)},
				{"CLUSTER", "MEET", "127.0.0.1", portOf(nodes[0].addr), busPort(nodes[0])},
			} {
				if i == 0 && command[1] == "MEET" {
					continue
				}
				if _, err := redisCall(ctx, n.addr, command...); err != nil {
					return err
				}
			}
		}
	}
	complete := func(ctx context.Context, addr string) (string, error) {
		info, err := redisCall(ctx, addr, "CLUSTER", "INFO")
		if err != nil {
			return "", err
		}
		for _, line := range []string{
			"cluster_state:ok\r",
			"cluster_slots_ok:16384\r",
			fmt.Sprintf("cluster_known_nodes:%d\r", len(nodes)),
		} {
			if !strings.Contains(info, line) {
				return "", errors.New("the cluster is not complete")
			}
		}
		return "", nil
	}
	for _, n := range nodes {
		if _, err := n.await(ctx, complete); err != nil {
			return err
		}
	}
	return nil
}

func busPort(n *node) string {
	for i, arg := range n.args {
		if arg == "--cluster-port" {
			return n.args[i+1]
		}
	}
	return ""
}

// redisCall opens a connection, sends one command, and returns the status or bulk reply.
func redisCall(ctx context.Context, addr string, args ...string) (string, error) {
	conn, err := dial(ctx, addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	return redisAsk(conn, args...)
}

// redisAsk sends one command and returns the status or bulk reply. No earlier reply may be pending.
func redisAsk(conn net.Conn, args ...string) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, arg := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(arg), arg)
	}
	if _, err := io.WriteString(conn, b.String()); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	line, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	line = strings.TrimSpace(line)
	switch line[:min(1, len(line))] {
	case "+":
		return line[1:], nil
	case "$":
		size, err := strconv.Atoi(line[1:])
		if err != nil || size < 0 || size > 1<<20 {
			return "", fmt.Errorf("redis: unexpected reply %q", line)
		}
		bulk := make([]byte, size)
		_, err = io.ReadFull(r, bulk)
		return string(bulk), err
	default:
		return "", fmt.Errorf("redis: unexpected reply %q", line)
	}
}

// dial opens a connection whose deadline is that of ctx.
func dial(ctx context.Context, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	return conn, nil
}
