package moving

import (
	"bytes"
	"context"
	"flag"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	fiberv3 "github.com/gofiber/fiber/v3"
	"github.com/gofiber/fiber/v3/middleware/session"
)

var update = flag.Bool("update", false, "write a record of Fiber for the tests of migrate/legacy")

// TestFiberRecord checks that the record in the tests of migrate/legacy, which do not link Fiber,
// is what Fiber stores.
func TestFiberRecord(t *testing.T) {
	file := filepath.Join("..", "..", "migrate", "legacy", "testdata", "fiberv3-absolute.gob")
	stored := recorder{data: make(map[string][]byte)}
	app := fiberv3.New()
	app.Use(session.New(session.Config{Storage: &stored, AbsoluteTimeout: time.Hour}))
	app.Post("/", func(c fiberv3.Ctx) error {
		session.FromContext(c).Set("user", "ada")
		return nil
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := fiberV3App(app)(l)
	defer stop()
	res, err := http.PostForm("http://"+l.Addr().String()+"/", url.Values{})
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if len(stored.data) != 1 {
		t.Fatalf("Fiber stored %d records, want 1", len(stored.data))
	}
	for _, data := range stored.data {
		if *update {
			if err := os.WriteFile(file, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		const key = "github.com/gofiber/fiber/v3/middleware/session.absExpirationKeyType"
		for _, part := range []string{key, "user", "ada"} {
			if !bytes.Contains(data, []byte(part)) || !bytes.Contains(want, []byte(part)) {
				t.Errorf("a record has no %q", part)
			}
		}
	}
}

// recorder is a storage for one session.
type recorder struct {
	fiberv3.Storage
	data map[string][]byte
}

func (r *recorder) GetWithContext(_ context.Context, key string) ([]byte, error) {
	return r.data[key], nil
}

func (r *recorder) SetWithContext(
	_ context.Context, key string, value []byte, _ time.Duration,
) error {
	r.data[key] = bytes.Clone(value)
	return nil
}
