package mongostore

import (
	"context"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/event"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/scskit/scskit/driver"
)

func TestUnacknowledged(t *testing.T) {
	t.Parallel()
	c := newClock()
	coll := newCollection(t, connect(t, nil))
	unacknowledged := options.Collection().SetWriteConcern(writeconcern.Unacknowledged())
	d := newTestDriver(t, coll.Clone(unacknowledged), c)
	rec := record(c, "a", 1, time.Minute)
	for op, err := range map[string]error{
		"always":     d.Save(background, rec, driver.Always()),
		"if absent":  d.Save(background, rec, driver.IfAbsent()),
		"if version": d.Save(background, rec, driver.IfVersion(1)),
		"touch":      d.Touch(background, touchTo("a", 1, rec.Expiry)),
		"delete":     d.Delete(background, "a", driver.Always()),
	} {
		want(t, op, err, errUnacknowledged)
	}
}

// The commands carry the concerns of Options, or else those of the collection.
func TestConcerns(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	concerns := make(map[string]string)
	started := func(_ context.Context, e *event.CommandStartedEvent) {
		mu.Lock()
		defer mu.Unlock()
		for _, concern := range []string{"writeConcern", "readConcern"} {
			if v, err := e.Command.LookupErr(concern); err == nil {
				concerns[e.CommandName] = v.String()
			}
		}
	}
	coll := newCollection(t, connect(t, &event.CommandMonitor{Started: started}))
	own := coll.Clone(options.Collection().
		SetWriteConcern(writeconcern.W1()).
		SetReadConcern(readconcern.Local()))
	c := newClock()
	for _, test := range []struct {
		opts        *Options
		write, read string
	}{
		{&Options{}, `{"w": {"$numberInt":"1"}}`, `{"level": "local"}`},
		{&Options{WriteConcern: writeconcern.Majority(), ReadConcern: readconcern.Majority()},
			`{"w": "majority"}`, `{"level": "majority"}`},
	} {
		d, err := newDriver(own, test.opts)
		if err != nil {
			t.Fatal(err)
		}
		// The results do not matter: the server may not support the concerns.
		_ = d.Save(background, record(c, "a", 1, time.Minute), driver.Always())
		_, _ = d.Load(background, "a")
		mu.Lock()
		if concerns["update"] != test.write || concerns["find"] != test.read {
			t.Errorf("sent %v, want %s and %s", concerns, test.write, test.read)
		}
		mu.Unlock()
	}
	if _, err := newDriver(coll, &Options{WriteConcern: writeconcern.Unacknowledged()}); err == nil {
		t.Error("unacknowledged writes: got no error")
	}
}
