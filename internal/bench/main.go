// Bench measures sessions in Redis over real sockets, beside the bare commands of the Redis client
// and beside scs with the store that is published for it:
//
//	go run . [-rounds 15] [-time 600ms] [-durable]
//
// Three processes share the machine: redis-server, a server with one port for each variant, and a
// load generator that keeps 32 connections busy, each with one request at a time and a session of
// its own with three keys. All variants use one redis.Client with its default options, and the
// context of the request. They take turns, round by round; the figures are medians of the rounds,
// and the ratios medians of the ratios within a round.
//
// It looks for Redis as the tests do (SCSKIT_TEST_REDIS), else starts a private server, which then
// keeps nothing on disk, unless -durable is given: what a session costs must not hide behind the
// disk.
//
// The targets are printed with what was measured. A target that is missed is no failure: a shared
// machine is no judge.
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

// connections is how many requests are under way at any time.
const connections = 32

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	rounds := flags.Int("rounds", 15, "how often each variant has its turn")
	turn := flags.Duration("time", 600*time.Millisecond, "how long a turn takes")
	durable := flags.Bool("durable", false,
		"let the private Redis sync each write to the disk before it answers")
	deadlines := flags.Bool("deadlines", true,
		"have the client of all variants keep the deadlines of contexts (ContextTimeoutEnabled)")
	profile := flags.String("profile", "",
		"write a CPU profile of the server, of all its turns, to this file")
	only := flags.String("only", "", "measure one thing, to profile it: bare-read, scskit-write, …")
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
	site, stop, err := startServer(serveRequest{Redis: server.URL, Deadlines: *deadlines,
		Profile: *profile})
	if err != nil {
		return err
	}
	defer stop()
	fmt.Fprintf(out, "%s, appendonly %s; one client, ContextTimeoutEnabled %v; %s, GOMAXPROCS %d; "+
		"%d keep-alive connections, 3-key sessions; %d rounds of %v\n\n",
		server.Version, persistence["appendonly"], *deadlines, runtime.Version(), runtime.GOMAXPROCS(0),
		connections, *rounds, *turn)
	for _, t := range []table{{op: "read", connections: connections},
		{op: "write", connections: connections}, {op: "write", connections: 1}} {
		op := t.op
		t.rounds = make(map[string][]figures)
		for round := range *rounds {
			for i := range variants {
				v := variants[(i+round)%len(variants)] // so that each follows each
				if *only != "" && v.name+"-"+op != *only {
					continue
				}
				f, err := measure(site, v.name, op, t.connections, *turn)
				if err != nil {
					return fmt.Errorf("%s %s: %w", v.name, op, err)
				}
				t.rounds[v.name] = append(t.rounds[v.name], f)
			}
		}
		if *only != "" {
			for name, rounds := range t.rounds {
				fmt.Fprintf(out, "%s %s, %d connections: %+v\n", name, op, t.connections, rounds)
			}
			continue
		}
		t.size = site.Size
		t.print(out)
	}
	return nil
}

// startServer starts the server in a process of its own.
func startServer(req serveRequest) (served, func(), error) {
	cmd, stdin, answer, err := child("serve")
	if err != nil {
		return served{}, nil, err
	}
	stop := func() {
		_ = stdin.Close() // which ends it
		_ = cmd.Wait()
	}
	var site served
	if err := errors.Join(json.NewEncoder(stdin).Encode(req),
		json.NewDecoder(answer).Decode(&site)); err != nil {
		stop()
		return served{}, nil, fmt.Errorf("start the server: %w", err)
	}
	return site, stop, nil
}

// measure has the load generator take one turn with n connections, in a process of its own.
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

// child starts this program in another role, with a pipe to it and one from it.
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
