package scskit

import (
	"errors"
	"strings"
	"testing"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit/driver"
)

type limited struct{ driver.Driver }

func (limited) MaxData() int { return 100 }

func TestTooLarge(t *testing.T) {
	t.Parallel()
	secret := strings.Repeat("hunter2", 20)
	values := map[string]any{"user": "ada", "cart": secret, "n": 1}
	const largest = `session too large: 171 bytes, limit 100; the key "cart" takes most, 164 bytes: `
	for _, c := range []struct {
		name   string
		driver driver.Driver
		opts   Options
		data   []byte
		want   string
	}{
		{
			"over MaxSize", &slowSweeper{}, Options{MaxSize: 100}, encoded(t, Codec{}, values),
			largest + `keep less in the session, or raise Options.MaxSize`,
		},
		{
			"over the backend's limit", limited{}, Options{}, encoded(t, Codec{}, values),
			largest + `keep less in the session: the backend holds no more`,
		},
		{
			"data that does not decode", &slowSweeper{}, Options{MaxSize: 100}, []byte(secret),
			`session too large: 140 bytes, limit 100: keep less in the session, or raise Options.MaxSize`,
		},
	} {
		s, err := NewStore(c.driver, &c.opts)
		if err != nil {
			t.Fatal(err)
		}
		err = s.tooLarge(c.data)
		var e *driver.TooLargeError
		if !errors.As(err, &e) || !errors.Is(err, driver.ErrTooLarge) || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
	}
	s, err := NewStore(limited{}, &Options{Codec: scs.GobCodec{}})
	if err != nil {
		t.Fatal(err)
	}
	var e *driver.TooLargeError
	if err := s.tooLarge(encoded(t, scs.GobCodec{}, values)); !errors.As(err, &e) ||
		e.Key != "cart" {
		t.Errorf("with another codec: %v", err)
	}
}
