// Package mongostore stores sessions in one collection of a MongoDB database, with the official
// driver, go.mongodb.org/mongo-driver/v2.
//
// A session is one document:
//
//	_id      binary  the record's id; binary because ids may hold any byte, and strings must be UTF-8
//	data     binary  the encoded session
//	expiry   date    when the session expires
//	created  date    when it was first saved
//	updated  date    when it was last saved
//	seen     date    when a request last used it
//	version  long    drawn at random for each save
//	user     binary  the SHA-256 of the user, if Options.UserKey is set and the session has a user
//
// # Expired sessions
//
// The store never returns an expired session. CreateSchema makes a TTL index, with which the server
// removes expired sessions within about a minute. A server without TTL indexes (FerretDB 1.x, for
// example) answers NotImplemented. CreateSchema then makes a plain index on expiry, and the program
// must call the store's Sweep or StartSweep. They also work if the collection has a TTL index or no
// index.
//
// # Users
//
// If Options.UserKey is set, CreateSchema also creates an index on user and _id, on a collection
// that exists as well. It is a partial index, so it costs nothing for sessions without a user. A
// save that changes the user writes to it; other saves and touches do not. SessionsOf reads the
// user's sessions with it, 500 in each command, and examines no others. It needs the index: without
// it, the error matches driver.ErrNoSchema. A server without partial indexes (FerretDB 1.x, for
// example) gets an index of all sessions.
//
// # Deployment
//
// The store reads from the primary, whatever the collection's read preference, because a secondary
// that lags could return a session that has been destroyed. Read and write concern are those of the
// collection, unless Options sets others. The write concern must be majority, which is the server's
// default since MongoDB 5.0. With less, a fail-over may undo a logout that was acknowledged. With
// unacknowledged writes (w: 0) the outcome of a write is unknown, so they are an error.
//
// For a short time, a primary that is cut off from its set may return stale sessions. A write that
// depends on such a read fails. A read concern of linearizable also prevents the stale read.
//
// The server must update a document atomically, as every MongoDB server does (4.2 or newer, which
// the driver requires). FerretDB 1.x on SQLite does not: it reads, compares and then writes. Two
// saves at the same moment may both succeed, and one is lost. Use it for development only.
//
// You can shard the collection by _id, hashed or not, and by nothing else: only then are ids
// unique.
//
// The store ignores a MongoDB session in the context of a request. It never takes part in the
// application's transactions, so that rolling one back does not undo changes to a session.
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

// Options are the settings of a MongoDB store. The zero value, and a nil *Options, is the safe
// default.
type Options struct {
	// Options are the settings that every store shares.
	scskit.Options

	// WriteConcern is the write concern. Nil means that of the collection. With less than majority, a
	// fail-over may undo acknowledged writes, logouts included. Unacknowledged writes are an error.
	WriteConcern *writeconcern.WriteConcern

	// ReadConcern is the read concern. Nil means that of the collection.
	ReadConcern *readconcern.ReadConcern
}

// New returns a store that keeps its sessions in coll. It does not connect, and it never
// disconnects the client, so that the rest of the program can use the client too. The collection
// should hold only sessions.
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
		return nil, errors.New("mongostore: the collection is nil: get it from a client")
	}
	if coll.Database() == nil {
		return nil, errors.New("mongostore: the collection has no database: get it from a client " +
			"with Database and Collection")
	}
	if w := opts.WriteConcern; w != nil && !w.Acknowledged() {
		return nil, errors.New("mongostore: Options.WriteConcern is w: 0, with which the outcome of a " +
			"write is unknown: use writeconcern.Majority()")
	}
	c := &collection{users: opts.UserKey != "", now: time.Now}
	if opts.Now != nil {
		c.now = opts.Now
	}
	// The default registry keeps the encoding independent of the application's settings.
	settings := options.Collection().
		SetReadPreference(readpref.Primary()).
		SetRegistry(bson.NewRegistry())
	if opts.WriteConcern != nil {
		settings.SetWriteConcern(opts.WriteConcern)
	}
	if opts.ReadConcern != nil {
		settings.SetReadConcern(opts.ReadConcern)
	}
	c.coll = coll.Clone(settings)
	if c.users {
		return &userCollection{c}, nil
	}
	return c, nil
}
