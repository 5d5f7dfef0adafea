package migrate_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/migrate"
)

// appVariable is the environment variable that makes this test binary an application. It holds a
// deployment.
const appVariable = "SCSKIT_TEST_APP"

// deployment is what an application runs with.
type deployment struct {
	Old, New place
	Mode     mode
}

// endsAtOnce makes the race detector not wait for a second at the end of a process.
const endsAtOnce = "GORACE=atexit_sleep_ms=0"

// mode is the store of an application. The modes are in the order of a move.
type mode string

const (
	oldAlone mode = "the old store"
	backward mode = "Between(old, new)"
	forward  mode = "Between(new, old)"
	newAlone mode = "the new store"
)

// app is the handlers of an application.
type app struct {
	sm      *scs.SessionManager
	store   *scskit.Store
	carried atomic.Int64
}

// page is the answer to a request: the session as the handler found it. User is empty if there was
// none. Carried is how many sessions the requests of this process have moved so far.
type page struct {
	User     string
	Values   map[string]int
	Deadline time.Time
	Carried  int64
}

// TestApp serves an application until its input ends.
func TestApp(t *testing.T) {
	text := os.Getenv(appVariable)
	if text == "" {
		return // only a move runs it
	}
	var d deployment
	must(t, json.Unmarshal([]byte(text), &d))
	a := &app{}
	observe := func(o *scskit.Options) {
		o.Observer = func(_ context.Context, e scskit.Event) {
			if e.Kind == scskit.KindCarry && e.Outcome == scskit.OutcomeOK {
				a.carried.Add(1)
			}
		}
	}
	a.store = d.open(t, observe)
	a.sm = scskit.New(a.store)
	a.sm.Lifetime = 24 * time.Hour
	a.sm.ErrorFunc = func(w http.ResponseWriter, _ *http.Request, err error) { fail(w, err) }
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		opRead: a.read, opPut: a.put, opAdd: a.add, opSignIn: a.signIn, opSignOut: a.signOut,
		opEndAll: a.endAll,
	} {
		mux.HandleFunc("POST /"+path, handler)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := &http.Server{Handler: scshttp.LoadAndSave(a.sm, adapters.Logger(nil),
		adapters.CommitTimeout(5*time.Minute))(mux)}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	fmt.Println("serving", listener.Addr())
	_, _ = io.Copy(io.Discard, os.Stdin)
	must(t, server.Shutdown(t.Context()))
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

// open opens the store of a deployment.
func (d deployment) open(t *testing.T, with ...func(*scskit.Options)) *scskit.Store {
	t.Helper()
	switch d.Mode {
	case oldAlone:
		return d.Old.open(t, with...)
	case newAlone:
		return d.New.open(t, with...)
	}
	return d.pair(t, with...).Store()
}

func (d deployment) pair(t *testing.T, with ...func(*scskit.Options)) *migrate.Pair {
	t.Helper()
	first, second := d.New.open(t, with...), d.Old.open(t, with...)
	if d.Mode == backward {
		first, second = second, first
	}
	pair, err := migrate.Between(first, second, nil)
	must(t, err)
	return pair
}

// The operations of the application, which are the paths of its requests.
const (
	opRead    = "read"
	opPut     = "put"     // k and v
	opAdd     = "add"     // one to k
	opSignIn  = "signin"  // user; the session keeps its values
	opSignOut = "signout" // of the session
	opEndAll  = "endall"  // sign-out of user, in all sessions
)

// sum is the key that opAdd counts in.
const sum = "sum"

func fail(w http.ResponseWriter, err error) {
	code := http.StatusInternalServerError
	if errors.Is(err, scskit.ErrGone) {
		code = http.StatusGone
	}
	http.Error(w, err.Error(), code)
}

// respond sends a page with the values of the session before the request.
func (a *app) respond(w http.ResponseWriter, p page) {
	p.Carried = a.carried.Load()
	if err := json.NewEncoder(w).Encode(p); err != nil {
		fail(w, err)
	}
}

// page returns the session in ctx.
func (a *app) page(ctx context.Context) page {
	p := page{
		User: a.sm.GetString(ctx, "user"), Values: map[string]int{}, Deadline: a.sm.Deadline(ctx),
	}
	for _, key := range a.sm.Keys(ctx) {
		if n, ok := a.sm.Get(ctx, key).(int); ok {
			p.Values[key] = n
		}
	}
	return p
}

func (a *app) read(w http.ResponseWriter, r *http.Request) { a.respond(w, a.page(r.Context())) }

func (a *app) put(w http.ResponseWriter, r *http.Request) {
	p := a.page(r.Context())
	if p.User != "" {
		var n int
		if _, err := fmt.Sscan(r.FormValue("v"), &n); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		a.sm.Put(r.Context(), r.FormValue("k"), n)
	}
	a.respond(w, p)
}

var errAnonymous = errors.New("no session")

func (a *app) add(w http.ResponseWriter, r *http.Request) {
	var p page
	err := scskit.Update(r.Context(), a.sm, func(ctx context.Context) error {
		if p = a.page(ctx); p.User == "" {
			return errAnonymous
		}
		a.sm.Put(ctx, r.FormValue("k"), a.sm.GetInt(ctx, r.FormValue("k"))+1)
		return nil
	})
	switch {
	case errors.Is(err, errAnonymous), errors.Is(err, scskit.ErrGone):
		a.respond(w, page{})
	case err != nil:
		fail(w, err)
	default:
		a.respond(w, p)
	}
}

// signIn signs a user in again, or with fresh=1 in a new session.
func (a *app) signIn(w http.ResponseWriter, r *http.Request) {
	p := a.page(r.Context())
	if p.User == "" && r.FormValue("fresh") == "" {
		a.respond(w, p)
		return
	}
	life, err := time.ParseDuration(r.FormValue("life"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	idle, err := time.ParseDuration(r.FormValue("idle"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	err = scskit.SignIn(r.Context(), a.sm, r.FormValue("user"),
		&scskit.SignInOptions{Lifetime: life, IdleTimeout: idle})
	if err != nil {
		fail(w, err)
		return
	}
	p.User, p.Deadline = r.FormValue("user"), a.sm.Deadline(r.Context())
	a.respond(w, p)
}

func (a *app) signOut(w http.ResponseWriter, r *http.Request) {
	p := a.page(r.Context())
	if err := scskit.SignOut(r.Context(), a.sm); err != nil {
		fail(w, err)
		return
	}
	a.respond(w, p)
}

func (a *app) endAll(w http.ResponseWriter, r *http.Request) {
	p := a.page(r.Context())
	if _, err := a.store.DestroySessionsOf(r.Context(), r.FormValue("user")); err != nil {
		fail(w, err)
		return
	}
	a.respond(w, p)
}

// instance is a process that runs an application.
type instance struct {
	addr    string
	cmd     *exec.Cmd
	input   io.Closer
	ended   chan error
	carried atomic.Int64 // as its answers say
}

// launch starts an application, and returns when it serves.
func (d deployment) launch(t *testing.T) *instance {
	t.Helper()
	text, err := json.Marshal(d)
	must(t, err)
	i := &instance{ended: make(chan error, 1)}
	i.cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestApp$", "-test.v",
		"-test.timeout", "0")
	i.cmd.Env = append(os.Environ(), appVariable+"="+string(text), endsAtOnce)
	i.cmd.Stderr = os.Stderr
	i.input, err = i.cmd.StdinPipe()
	must(t, err)
	out, err := i.cmd.StdoutPipe()
	must(t, err)
	must(t, i.cmd.Start())
	lines := bufio.NewScanner(out)
	var printed []string
	for i.addr == "" && lines.Scan() {
		printed = append(printed, lines.Text())
		i.addr, _ = strings.CutPrefix(lines.Text(), "serving ")
		if i.addr == lines.Text() {
			i.addr = ""
		}
	}
	if i.addr == "" {
		t.Fatalf("the application does not serve: %v\n%s", i.cmd.Wait(), strings.Join(printed, "\n"))
	}
	go func() {
		for lines.Scan() {
			printed = append(printed, lines.Text())
		}
		err := i.cmd.Wait()
		if err != nil {
			err = fmt.Errorf("%w\n%s", err, strings.Join(printed, "\n"))
		}
		i.ended <- err
	}()
	return i
}

// stop ends the application after its last request, or at once with SIGKILL.
func (i *instance) stop(t *testing.T, kill bool) {
	t.Helper()
	if kill {
		must(t, i.cmd.Process.Kill())
		if <-i.ended == nil {
			t.Error("an application has survived SIGKILL")
		}
		return
	}
	must(t, i.input.Close())
	must(t, <-i.ended)
}
