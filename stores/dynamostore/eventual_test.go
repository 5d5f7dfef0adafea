package dynamostore

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/testenv"
)

// lagging is a transport that answers eventually consistent reads of single items with an old
// answer.
type lagging struct{ answer string }

func (l *lagging) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	consistent := strings.Contains(string(body), `"ConsistentRead":true`)
	if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetItem") && !consistent {
		return &http.Response{
			StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(l.answer)),
			Body: io.NopCloser(strings.NewReader(l.answer)),
		}, nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// A replica that lags does not end a session that was just created or touched.
func TestEventualMiss(t *testing.T) {
	t.Parallel()
	const old = `{"Item": {"id": {"B": "aWQ="}, "version": {"N": "1"},
		"expiry_ms": {"N": "1"}, "created": {"N": "1"}, "updated": {"N": "1"}}}`
	for name, answer := range map[string]string{"nothing": `{}`, "an expired record": old} {
		c := newClock()
		w := &wire{transport: &lagging{answer}}
		d := newTable(t, clientOf(testenv.DynamoDB(t), w), Options{
			EventuallyConsistentReads: true, Options: scskit.Options{Now: c.now},
		})
		save(t, d, record(c, "id", 1, time.Minute))
		w.take()
		rec, err := d.Load(background, "id")
		if err != nil || rec.Version != 1 || string(rec.Data) != "data of id" {
			t.Errorf("the replica has %s: got %+v, %v, want version 1", name, rec, err)
		}
		if got := w.take(); got != "GetItem GetItem" {
			t.Errorf("the replica has %s: sent %s, want GetItem GetItem", name, got)
		}
		_, err = d.Load(background, "other")
		want(t, "load of no session", err, driver.ErrNotFound)
	}
}

// If the replica has the session, a load takes one request.
func TestEventualHit(t *testing.T) {
	t.Parallel()
	c := newClock()
	w := &wire{transport: http.DefaultTransport}
	d := newTable(t, clientOf(testenv.DynamoDB(t), w), Options{
		EventuallyConsistentReads: true, Options: scskit.Options{Now: c.now},
	})
	save(t, d, record(c, "id", 1, time.Minute))
	w.take()
	_, err := d.Load(background, "id")
	want(t, "load", err, nil)
	if got := w.take(); got != "GetItem" {
		t.Errorf("load: sent %s, want GetItem", got)
	}
}
