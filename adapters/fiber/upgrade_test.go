package scsfiber_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/adapters"
	scsfiber "github.com/scskit/scskit/adapters/fiber"
	"github.com/scskit/scskit/conformance"
	"github.com/scskit/scskit/stores/memstore"
)

// downStore is a store whose commits fail.
type downStore struct{ scs.Store }

func (downStore) Commit(string, []byte, time.Time) error { return errors.New("down") }

// TestFailedUpgrade tests that a request whose session cannot be stored does not hijack the
// connection.
func TestFailedUpgrade(t *testing.T) {
	t.Parallel()
	store, err := memstore.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	sm.Store = downStore{store}
	app := fiber.New(fiber.Config{DisableStartupMessage: true})
	app.Use(scsfiber.LoadAndSave(sm, adapters.Logger(nil)))
	app.Get("/upgrade", func(c *fiber.Ctx) error {
		sm.Put(c.UserContext(), "k", "v")
		c.Status(http.StatusSwitchingProtocols)
		c.Context().Hijack(func(conn net.Conn) { _, _ = io.WriteString(conn, "taken\n") })
		return nil
	})
	app.Get("/plain", func(c *fiber.Ctx) error { return c.SendString("plain") })
	base := conformance.ListenWith(t, func(l net.Listener) (serve func() error, stop func()) {
		stop = func() { _ = app.ShutdownWithTimeout(time.Second) }
		return func() error { return app.Listener(l) }, stop
	})
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", base[len("http://"):])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(conn)
	for _, visit := range []struct {
		path   string
		status int
	}{
		{"/upgrade", http.StatusInternalServerError}, {"/plain", http.StatusOK},
	} {
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: example.org\r\n\r\n", visit.path)
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("%s: %v", visit.path, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if res.StatusCode != visit.status {
			t.Errorf("%s: status %d, want %d", visit.path, res.StatusCode, visit.status)
		}
	}
}
