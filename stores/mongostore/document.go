package mongostore

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/scskit/scskit/driver"
)

// decode returns a copy of the record in a document. It ignores fields with other names. A document
// without seen, which an earlier version wrote, was last seen when it was updated.
func decode(doc bson.Raw) (driver.Record, error) {
	var rec driver.Record
	_, id, okID := doc.Lookup("_id").BinaryOK()
	_, data, okData := doc.Lookup("data").BinaryOK()
	var okVersion bool
	rec.Version, okVersion = doc.Lookup("version").AsInt64OK()
	if !okID || !okData || !okVersion {
		return driver.Record{}, errors.New("a document is not a session: _id, data or version is " +
			"missing or has another type")
	}
	rec.ID, rec.Data = string(id), bytes.Clone(data)
	for _, f := range []struct {
		name string
		to   *time.Time
	}{
		{"expiry", &rec.Expiry}, {"created", &rec.Created}, {"updated", &rec.Updated},
		{"seen", &rec.Seen},
	} {
		value := doc.Lookup(f.name)
		if value.IsZero() && f.name == "seen" {
			rec.Seen = rec.Updated
			continue
		}
		ms, ok := value.DateTimeOK()
		if !ok {
			return driver.Record{}, fmt.Errorf("a document is not a session: %s is not a date", f.name)
		}
		*f.to = time.UnixMilli(ms).UTC()
	}
	if _, user, ok := doc.Lookup("user").BinaryOK(); ok {
		rec.User = string(user)
	}
	return rec, nil
}
