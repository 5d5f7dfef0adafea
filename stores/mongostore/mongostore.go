// Package mongostore keeps sessions in one collection of a MongoDB database, over
// the official driver, go.mongodb.org/mongo-driver/v2.
//
// A session is one document:
//
//	_id      binary  the record's id; binary because ids may hold any byte, and strings must be UTF-8
//	data     binary  the encoded session
//	expiry   date    when it ceases to exist
//	created  date    when it was first saved
//	updated  date    when it was last saved
//	version  long    drawn at random for each save
//
// # Expired sessions
//
// They are invisible at once. The store's CreateSchema makes a TTL index, with which the server
// removes them within a minute or so. Not every server that speaks MongoDB's protocol has TTL
// indexes (FerretDB 1.x has none, and answers NotImplemented): there CreateSchema makes a plain
// index on expiry instead, and removing is the program's: call the store's Sweep or StartSweep.
// That does no harm elsewhere, and is the way for a collection without any index as well.
//
// # What is expected of the deployment
//
// The store reads from the primary, whatever the collection's read preference: a secondary that
// lags would hand out sessions that have been destroyed. Read and write concern are those of the
// collection that is passed in, unless Options has others. The write concern must be majority,
// which is the server's own default since MongoDB 5.0: with less, a fail-over may undo a logout
// that was acknowledged. Unacknowledged writes (w: 0) tell nothing of what became of them, and are
// an error. A read concern of linearizable also closes the moment in which a primary that has been
// cut off from its set, and does not know yet, answers with what it knew; no write that depends on
// such an answer succeeds.
//
// The server must apply an update to one document atomically, as every MongoDB does (4.2 or newer,
// which the driver needs). FerretDB 1.x on SQLite does not: it reads, compares and then writes, so
// that of two saves at the same moment both may succeed, and one is lost. Use it for development
// only.
//
// A collection may be sharded by _id, hashed or not, and by nothing else: only then are ids unique.
//
// The store never takes part in a transaction of the application: a session that travels in the
// context of a request is passed over, so that rolling back the one does not undo the other.
package mongostore

import (
	"errors"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readconcern"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// Options are the settings of a MongoDB store. The zero value, and a nil *Options, is the
// safe default.
type Options struct {
	// Options are the settings that every store shares.
	scskit.Options

	// WriteConcern says when a write counts as done. Nil means the collection's own. Less than
	// majority may lose acknowledged writes, logouts among them, in a fail-over; unacknowledged
	// writes are an error.
	WriteConcern *writeconcern.WriteConcern

	// ReadConcern says what a read may return. Nil means the collection's own.
	ReadConcern *readconcern.ReadConcern
}

// New returns a store that keeps its sessions in coll. It does not connect, and never disconnects
// the client, which the rest of the program may use. The collection should hold nothing else.
func New(coll *mongo.Collection, opts *Options) (*scskit.Store, error) {
	if opts == nil {
		opts = new(Options)
	}
	d, err := newDriver(coll, opts)
	if err != nil {
		return nil, err
	}
	return scskit.NewStore(d, &opts.Options)
}

func newDriver(coll *mongo.Collection, opts *Options) (driver.Driver, error) {
	if coll == nil {
		return nil, errors.New("mongostore: the collection is nil")
	}
	if coll.Database() == nil {
		return nil, errors.New("mongostore: the collection belongs to no database: get it from a " +
			"client, with Database and Collection")
	}
	if w := opts.WriteConcern; w != nil && !w.Acknowledged() {
		return nil, errors.New("mongostore: Options.WriteConcern is of unacknowledged writes, which " +
			"tell nothing of what became of them: use writeconcern.Majority()")
	}
	c := &collection{now: time.Now}
	if opts.Now != nil {
		c.now = opts.Now
	}
	// The registry is the default one: what is stored must not depend on how the
	// application has its own types encoded.
	settings := options.Collection().SetReadPreference(readpref.Primary()).SetRegistry(
		bson.NewRegistry())
	if opts.WriteConcern != nil {
		settings.SetWriteConcern(opts.WriteConcern)
	}
	if opts.ReadConcern != nil {
		settings.SetReadConcern(opts.ReadConcern)
	}
	c.coll = coll.Clone(settings)
	return c, nil
}
