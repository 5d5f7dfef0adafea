package testenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Server is a private server that one test can kill and restart. Its methods call tb.Fatal if they
// fail. They are not safe for concurrent use.
type Server struct {
	tb testing.TB
	s  *server
}

// Start starts a private server, even if the environment names one, and stops it when the test
// ends.
func Start(tb testing.TB, kind Kind) *Server {
	tb.Helper()
	skip(tb, kind.String())
	s, err := launch(kind)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.close)
	return &Server{tb, s}
}

// Addr returns the address of the server's first node, host:port, for a [Proxy].
func (s *Server) Addr() string { return s.s.nodes[0].addr }

// URL returns the server's [Backend.URL].
func (s *Server) URL() string { return s.s.url() }

// PIDs returns the process ids of the nodes that run.
func (s *Server) PIDs() []int { return s.s.pids() }

// Kill ends the server with SIGKILL. It returns when the processes are gone.
func (s *Server) Kill() {
	s.tb.Helper()
	for _, n := range s.s.nodes {
		n.kill()
	}
}

// Stop shuts the server down. Its data stays until the test ends.
func (s *Server) Stop() {
	s.tb.Helper()
	s.s.quit()
}

// Restart shuts the server down if it runs, and starts it on the same port with the same data. It
// returns when the server answers.
func (s *Server) Restart() {
	s.tb.Helper()
	s.s.quit()
	if err := s.s.start(); err != nil {
		s.tb.Fatal(err)
	}
}

// server is a running server that this process started.
type server struct {
	kind    Kind
	dir     string
	version string
	took    time.Duration

	mu     sync.Mutex // held while a node starts, so that no node starts after close
	nodes  []*node
	closed bool
}

// running holds every server that this process has started and not yet closed.
var running struct {
	sync.Mutex
	servers []*server
	closed  bool
}

var errClosed = errors.New("testenv: the tests are over")

// launch starts a private server and waits until it answers. It tries a second time if another
// program took the port between the search for a free one and the server's start.
func launch(k Kind) (*server, error) {
	s, err := launchOnce(k)
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "in use") {
		s, err = launchOnce(k)
	}
	if err != nil {
		return nil, fmt.Errorf("testenv: start %s: %w", k, err)
	}
	return s, nil
}

func launchOnce(k Kind) (_ *server, err error) {
	begin := time.Now()
	s := &server{kind: k}
	if err := s.register(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if s.dir, err = newDir(k.String()); err != nil {
		return nil, err
	}
	nodes, err := kinds[k].nodes(s.dir)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.nodes = nodes
	s.mu.Unlock()
	if err := s.start(); err != nil {
		return nil, err
	}
	s.took = time.Since(begin)
	return s, nil
}

// start starts the nodes, waits until all of them answer, and joins them. It waits for the last one
// first: a PgBouncer does not answer before the PostgreSQL behind it does.
func (s *server) start() error {
	spec := kinds[s.kind]
	for _, n := range s.nodes {
		if err := s.startNode(n); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), spec.ready)
	defer cancel()
	for i, n := range slices.Backward(s.nodes) {
		version, err := n.await(ctx, spec.probe)
		for err != nil && ctx.Err() == nil && n.busy != "" && strings.Contains(err.Error(), n.busy) {
			if err = s.startNode(n); err == nil {
				version, err = n.await(ctx, spec.probe)
			}
		}
		if err != nil {
			return err
		}
		if i == 0 {
			s.version = cmp.Or(version, n.version)
		}
	}
	if spec.join != nil {
		return spec.join(ctx, s.nodes)
	}
	return nil
}

func (s *server) startNode(n *node) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	return n.start()
}

func (s *server) quit() {
	for _, n := range s.nodes {
		n.quit()
	}
}

func (s *server) pids() (pids []int) {
	for _, n := range s.nodes {
		if pid := n.pid(); pid != 0 {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (s *server) addrs() []string {
	addrs := make([]string, len(s.nodes))
	for i, n := range s.nodes {
		addrs[i] = n.addr
	}
	return addrs
}

func (s *server) url() string { return kinds[s.kind].url(s.addrs()) }

func (s *server) backend() Backend {
	return Backend{
		Kind: s.kind, URL: s.url(), Addr: strings.Join(s.addrs(), ","), Version: s.version,
		Private: true, PIDs: s.pids(), Started: s.took,
	}
}

func (s *server) register() error {
	running.Lock()
	defer running.Unlock()
	if running.closed {
		return errClosed
	}
	running.servers = append(running.servers, s)
	return nil
}

// close ends the server and removes its data.
func (s *server) close() {
	isThis := func(other *server) bool { return other == s }
	running.Lock()
	running.servers = slices.DeleteFunc(running.servers, isThis)
	running.Unlock()
	s.mu.Lock()
	s.closed = true
	nodes := s.nodes
	s.mu.Unlock()
	for _, n := range nodes {
		n.quit()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// Close stops every server that this process has started, and removes their data. After Close, no
// server can be started.
func Close() {
	running.Lock()
	running.closed = true
	servers := slices.Clone(running.servers)
	running.Unlock()
	var wg sync.WaitGroup
	for _, s := range servers {
		wg.Go(s.close)
	}
	wg.Wait()
	removeHome()
}

// closeOnSignal calls Close when an interrupt or SIGTERM arrives, and then ends the process with
// the same signal.
func closeOnSignal() {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		sig := <-signals
		Close()
		signal.Reset(sig)
		if p, err := os.FindProcess(os.Getpid()); err == nil {
			_ = p.Signal(sig)
		}
	}()
}
