package moving

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	fiberv3 "github.com/gofiber/fiber/v3"
	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	"github.com/scskit/scskit/internal/testenv"
	"github.com/scskit/scskit/stores/memstore"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.ReleaseMode) // a global variable of Gin
	os.Exit(testenv.Main(m))
}

const browsers = 20

// application is a server before the move, and after it.
type application struct {
	name    string
	cookie  string // of the sessions before the move
	before  func() server
	after   func(*scskit.Store, adapters.AdoptOptions) server
	records func() int // counts the old store, or is nil if sessions are in the cookie
}

// server serves until it is stopped.
type server func(net.Listener) (stop func())

func handler(h http.Handler) server {
	return func(l net.Listener) func() {
		s := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
		go func() { _ = s.Serve(l) }()
		return func() { _ = s.Close() }
	}
}

func fiberV2App(app *fiber.App) server {
	return func(l net.Listener) func() {
		go func() { _ = app.Listener(l) }()
		return func() { _ = app.ShutdownWithTimeout(time.Minute) }
	}
}

func fiberV3App(app *fiberv3.App) server {
	return func(l net.Listener) func() {
		go func() { _ = app.Listener(l, fiberv3.ListenConfig{DisableStartupMessage: true}) }()
		return func() { _ = app.ShutdownWithTimeout(time.Minute) }
	}
}

func TestMove(t *testing.T) {
	addr := testenv.Redis(t)
	client := redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	count := func(prefix string) func() int { // a counter
		return func() int {
			n, keys := 0, client.Scan(context.Background(), 0, prefix+"*", 1000).Iterator()
			for keys.Next(context.Background()) {
				n++
			}
			if err := keys.Err(); err != nil {
				t.Error(err)
			}
			return n
		}
	}
	for _, app := range slices.Concat(
		scsApplications(t, client, count),
		gorillaApplications(t, addr, count),
		ginApplications(t, addr, count),
		fiberApplications(t, addr, count),
	) {
		t.Run(app.name, func(t *testing.T) {
			t.Parallel()
			app.move(t)
		})
	}
}

// move stops an application, starts its successor, goes back, and moves again.
func (a application) move(t *testing.T) {
	users := make([]*user, browsers)
	for i := range users {
		jar, _ := cookiejar.New(nil)
		client := &http.Client{Jar: jar, Transport: &http.Transport{}}
		users[i] = &user{T: t, name: strings.Repeat("u", i+1), client: client}
	}
	phase := func(name string, s server, visit func(*user)) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		stop := s(l)
		for _, u := range users {
			u.phase, u.url = name, "http://"+l.Addr().String()
			visit(u)
			u.client.CloseIdleConnections()
		}
		stop()
	}
	signedIn := func(u *user) {
		u.get("/", u.name)
		u.get("/values", u.values)
	}
	checkRecords := func(phase string, want int) {
		if a.records == nil {
			return
		}
		if got := a.records(); got != want {
			t.Errorf("%s: the old store has %d sessions, want %d", phase, got, want)
		}
	}
	phase("before", a.before(), func(u *user) {
		u.post("/sign-in")
		u.post("/values")
		u.values = u.get("/values", "")
		signedIn(u)
	})
	checkRecords("before", browsers)
	phase("after, with Keep", a.after(newBackend(t), adapters.AdoptOptions{Keep: true}), signedIn)
	checkRecords("after, with Keep", browsers)
	phase("back", a.before(), signedIn)

	backend := newBackend(t)
	for _, name := range []string{"after", "after, again"} {
		phase(name, a.after(backend, adapters.AdoptOptions{}), func(u *user) {
			signedIn(u)
			if c := u.cookies(); c[a.cookie] != "" || c["id"] == "" {
				t.Errorf("%s: the browser has the cookies %v", name, c)
			}
		})
		checkRecords(name, 0)
	}
	if all, err := backend.All(); err != nil || len(all) != browsers {
		t.Errorf("%d sessions, %v, want %d", len(all), err, browsers)
	}
	for i, u := range users {
		n := 0
		for _, err := range backend.SessionsOf(t.Context(), u.name) {
			if n++; err != nil {
				t.Error(err)
			}
		}
		if n != 1 {
			t.Errorf("user %d has %d sessions, want 1", i, n)
		}
	}
	phase("back for good", a.before(), func(u *user) { u.get("/", "") })
}

// user is a browser in which a user has signed in.
type user struct {
	*testing.T
	name, values string
	phase, url   string
	client       *http.Client
}

// get checks the body of a response, unless want is empty, and returns it.
func (u *user) get(path, want string) string {
	u.Helper()
	res, err := u.client.Get(u.url + path)
	if err != nil {
		u.Fatal(err)
	}
	return u.check(res, path, want)
}

func (u *user) post(path string) {
	u.Helper()
	res, err := u.client.PostForm(u.url+path, url.Values{"user": {u.name}})
	if err != nil {
		u.Fatal(err)
	}
	u.check(res, path, "")
}

func (u *user) check(res *http.Response, path, want string) string {
	u.Helper()
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		u.Fatalf("%s: %s: status %d, %s, %v", u.phase, path, res.StatusCode, body, err)
	}
	if path != "/" && want == "" {
		return string(body)
	}
	if string(body) != want {
		u.Errorf("%s: %s of %s: got\n%s\nwant\n%s", u.phase, path, u.name, body, want)
	}
	return string(body)
}

func (u *user) cookies() map[string]string {
	at, _ := url.Parse(u.url)
	all := make(map[string]string)
	for _, c := range u.client.Jar.Cookies(at) {
		all[c.Name] = c.Value
	}
	return all
}

func newBackend(t *testing.T) *scskit.Store {
	store, err := memstore.New(&memstore.Options{Options: scskit.Options{UserKey: "user"}})
	if err != nil {
		t.Fatal(err)
	}
	return store
}
