// Bench compares scskit sessions in Redis with the bare commands of the Redis client, and with scs
// and its goredisstore, over real sockets:
//
//	go run . [-rounds 15] [-time 600ms] [-durable]
//
// Three processes share the machine: redis-server, a server with one port for each variant, and a
// load generator. The load generator uses 32 connections. Each sends one request at a time and has
// its own session with three keys. All variants use one redis.Client with its default options, and
// the context of the request. The variants take turns, round by round. The figures are medians over
// the rounds, and the ratios are medians of the ratios within a round.
//
// Bench uses the Redis server that SCSKIT_TEST_REDIS names, or else starts a private one. The
// private server writes nothing to disk unless -durable is given: the disk would hide the cost of
// sessions.
//
// Bench prints its targets with the results. A missed target is not a failure, since other
// processes on the machine affect the results.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/internal/testenv"
)

func main() {
	var err error
	switch {
	case len(os.Args) > 1 && os.Args[1] == "serve":
		err = serve(os.Stdin, os.Stdout)
	case len(os.Args) > 1 && os.Args[1] == "load":
		err = load(os.Stdin, os.Stdout)
	default:
		err = run(os.Args[1:], os.Stdout)
		testenv.Close()
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// connections is the number of concurrent requests.
const connections = 32

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	rounds := flags.Int("rounds", 15, "number of rounds")
	turn := flags.Duration("time", 600*time.Millisecond, "length of a turn")
	durable := flags.Bool("durable", false,
		"make the private Redis sync each write to disk before it answers")
	deadlines := flags.Bool("deadlines", true,
		"set ContextTimeoutEnabled in the Redis client of all variants")
	profile := flags.String("profile", "",
		"write a CPU profile of the server, for all turns, to this `file`")
	only := flags.String("only", "",
		"measure one `variant` of one operation, e.g. bare-read or scskit-write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	server, err := testenv.Find(testenv.KindRedis)
	if err != nil {
		return err
	}
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: server.URL})
	defer func() { _ = client.Close() }()
	if server.Private && !*durable {
		if err := client.ConfigSet(ctx, "appendonly", "no").Err(); err != nil {
			return err
		}
	}
	persistence, err := client.ConfigGet(ctx, "appendonly").Result()
	if err != nil {
		return err
	}
	site, stop, err := startServer(serveRequest{
		Redis: server.URL, Deadlines: *deadlines, Profile: *profile,
	})
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(out, "%s, appendonly %s; one client, ContextTimeoutEnabled %v; %s, GOMAXPROCS %d; "+
		"%d keep-alive connections, 3-key sessions; %d rounds of %v\n\n",
		server.Version, persistence["appendonly"], *deadlines, runtime.Version(), runtime.GOMAXPROCS(0),
		connections, *rounds, *turn)
	tables := []table{
		{op: "read", connections: connections},
		{op: "write", connections: connections},
		{op: "write", connections: 1},
	}
	for _, t := range tables {
		if err := t.measure(site, *rounds, *turn, *only); err != nil {
			return err
		}
		if *only != "" {
			for name, rounds := range t.rounds {
				fmt.Fprintf(out, "%s %s, %d connections: %+v\n", name, t.op, t.connections, rounds)
			}
			continue
		}
		t.print(out)
	}
	return nil
}

// measure fills the table. If only is not empty, it measures only the variant and operation that it
// names.
func (t *table) measure(site served, rounds int, turn time.Duration, only string) error {
	t.size, t.rounds = site.Size, make(map[string][]figures)
	for round := range rounds {
		for i := range variants {
			v := variants[(i+round)%len(variants)] // each is the first of a round at times
			if only != "" && v.name+"-"+t.op != only {
				continue
			}
			f, err := measure(site, v.name, t.op, t.connections, turn)
			if err != nil {
				return fmt.Errorf("%s %s: %w", v.name, t.op, err)
			}
			t.rounds[v.name] = append(t.rounds[v.name], f)
		}
	}
	return nil
}

// startServer starts the server in a child process.
func startServer(req serveRequest) (served, func(), error) {
	cmd, stdin, answer, err := child("serve")
	if err != nil {
		return served{}, nil, err
	}
	stop := func() {
		_ = stdin.Close() // the child ends with its input
		_ = cmd.Wait()
	}
	var site served
	err = errors.Join(json.NewEncoder(stdin).Encode(req), json.NewDecoder(answer).Decode(&site))
	if err != nil {
		stop()
		return served{}, nil, fmt.Errorf("start the server: %w", err)
	}
	return site, stop, nil
}

// measure runs the load generator in a child process for one turn with n connections.
func measure(site served, variant, op string, n int, turn time.Duration) (figures, error) {
	cmd, stdin, answer, err := child("load")
	if err != nil {
		return figures{}, err
	}
	req := loadRequest{
		Addr: site.Addr[variant+" "+op], Control: site.Control, Time: turn,
		Cookies: first(site.Cookies[variant], n), Keys: first(site.Keys, n), Body: site.Body,
	}
	var f figures
	err = errors.Join(json.NewEncoder(stdin).Encode(req), json.NewDecoder(answer).Decode(&f))
	_ = stdin.Close()
	return f, errors.Join(err, cmd.Wait())
}

func first(list []string, n int) []string { return list[:min(n, len(list))] }

// child starts this program in another role, with pipes for its input and output.
func child(role string) (*exec.Cmd, io.WriteCloser, io.Reader, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, nil, err
	}
	cmd := exec.Command(self, role) //nolint:noctx // it ends when its input does
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, nil, err
	}
	return cmd, in, bufio.NewReader(out), cmd.Start()
}
