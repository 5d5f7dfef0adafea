package stores_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/scskit/scskit"
	scshttp "github.com/scskit/scskit/adapters/nethttp"
	"github.com/scskit/scskit/stores"
)

// instanceVariable is the environment variable that makes this test binary an instance of an
// application. It holds an instanceConfig.
const instanceVariable = "SCSKIT_TEST_INSTANCE"

// instanceConfig is how an instance is deployed.
type instanceConfig struct {
	URL       string
	Keys      []string // in base64
	Plaintext scskit.Plaintext
	NewType   bool // this version of the application knows the type basket
}

// basket is a type that only new versions of the application have.
type basket struct{ Items map[string]int }

// TestInstance is an instance of an application. It serves until its standard input ends.
func TestInstance(t *testing.T) {
	text := os.Getenv(instanceVariable)
	if text == "" {
		return // only a rollout runs it
	}
	var config instanceConfig
	if err := json.Unmarshal([]byte(text), &config); err != nil {
		t.Fatal(err)
	}
	opts := &scskit.Options{UserKey: "user", Plaintext: config.Plaintext}
	for _, key := range config.Keys {
		b, err := base64.StdEncoding.DecodeString(key)
		if err != nil {
			t.Fatal(err)
		}
		opts.Keys = append(opts.Keys, b)
	}
	if config.NewType {
		gob.Register(basket{})
	}
	store, closeStore, err := stores.Open(t.Context(), config.URL, opts)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	sm.IdleTimeout = sm.Lifetime / 2
	mux := http.NewServeMux()
	mux.HandleFunc("/signin", func(w http.ResponseWriter, r *http.Request) {
		if err := sm.RenewToken(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		sm.Put(r.Context(), "user", r.FormValue("user"))
	})
	// Each request puts a key of its own, so that none can overwrite what another has put.
	mux.HandleFunc("/add", func(w http.ResponseWriter, r *http.Request) {
		n := r.FormValue("n")
		sm.Put(r.Context(), "n"+n, n)
		if config.NewType {
			b, _ := sm.Get(r.Context(), "basket").(basket)
			if b.Items == nil {
				b.Items = make(map[string]int)
			}
			b.Items[n]++
			sm.Put(r.Context(), "basket", b)
		}
		_, _ = io.WriteString(w, sm.GetString(r.Context(), "user"))
	})
	mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		n := 0
		for _, key := range sm.Keys(r.Context()) {
			if strings.HasPrefix(key, "n") {
				n++
			}
		}
		b, _ := sm.Get(r.Context(), "basket").(basket)
		_, _ = fmt.Fprint(w, sm.GetString(r.Context(), "user"), " ", n, " ", len(b.Items))
	})
	mux.HandleFunc("/reseal", func(w http.ResponseWriter, r *http.Request) {
		result, err := store.Reseal(r.Context())
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(result)
	})
	server := httptest.NewServer(scshttp.LoadAndSave(sm)(mux))
	fmt.Println("serving", server.URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Close() // waits for the requests
	if err := closeStore(); err != nil {
		t.Error(err)
	}
}

// instance is a running process of the application.
type instance struct {
	url  string
	stop func()

	requests sync.RWMutex // locked for reading during each request
	drained  bool
}

// deploy starts an instance, and stops it at the end of the test unless stop is called before.
func deploy(t *testing.T, config instanceConfig) *instance {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), os.Args[0], "-test.run",
		"^TestInstance$", "-test.v")
	cmd.Env = append(os.Environ(), instanceVariable+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	i := &instance{stop: func() {
		if stopped {
			return
		}
		stopped = true
		_ = in.Close()
		if err := cmd.Wait(); err != nil {
			t.Errorf("instance: %v", err)
		}
	}}
	t.Cleanup(i.stop)
	var printed []string
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		printed = append(printed, lines.Text())
		if _, url, ok := strings.Cut(lines.Text(), "serving "); ok {
			i.url = url
			break
		}
	}
	if i.url == "" {
		t.Fatalf("the instance does not serve:\n%s", strings.Join(printed, "\n"))
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	return i
}
