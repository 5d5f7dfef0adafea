// Package dynamostore keeps sessions in one table of Amazon DynamoDB, over the AWS SDK
// for Go v2.
//
// A session is one item:
//
//	id         B  the record's id, the partition key; binary because ids may hold any byte
//	data       B  the encoded session; absent if it is empty
//	version    N  drawn at random for each save
//	expiry_ms  N  when it ceases to exist, in milliseconds since 1970-01-01 00:00 UTC
//	created    N  when it was first saved, likewise
//	updated    N  when it was last saved, likewise
//	expire_at  N  expiry_ms in seconds, rounded up: what DynamoDB's TTL goes by
//	user       B  the SHA-256 of the user, if Options.UserKey is set and the session has one
//
// The table must exist before the first session: make it with the store's CreateSchema, or apply
// its Schema with the AWS command line or your own tools.
//
// # Expired sessions
//
// They are invisible at once. DynamoDB removes them by TTL, free of charge, mostly within a few
// days. That is the default, and nothing else is needed. The store's Sweep works as well,
// for DynamoDB Local and tables without TTL, but it reads the whole table, and costs as
// much as reading and writing do.
//
// # Cost
//
// Every operation is one request. A load costs one read unit for each 4 KB of the session, half
// with Options.EventuallyConsistentReads, with which one that finds nothing is two requests; a
// save, a touch or a delete one write unit for each KB, also one whose condition does not hold.
// Range costs a read unit for each 4 KB of the table, expired sessions included.
//
// # Users
//
// With Options.UserKey CreateSchema also makes a global secondary index, named user, on the
// attribute user: of a table that is there already as well, which may take a while, during which
// the table serves as before. In the index is nothing but the user's hash and the id, and only of
// sessions that have a user. So it costs one write unit when a session with a user is created,
// deleted or removed by TTL, two when the user changes, and none for other saves or touches.
// SessionsOf costs half a read unit for some forty sessions of the user, expired ones that are
// still there included, and one for each 4 KB of each of them.
//
// DynamoDB brings such an index up to date after the table, mostly within a second: a session that
// has only just been signed in may be missing from SessionsOf. What is found is then read from the
// table itself, strongly consistent, so that no session of another user and none that was destroyed
// is returned.
//
// # Permissions
//
// The store needs dynamodb:GetItem, PutItem, UpdateItem and DeleteItem on the table; Scan for All,
// Range and Sweep. With Options.UserKey it also needs BatchGetItem on the table and Query on
// table/NAME/index/user. CreateSchema needs CreateTable, DescribeTable, DescribeTimeToLive and
// UpdateTimeToLive, and to add the index to a table UpdateTable; CheckSchema needs the two that
// describe.
//
// # Reads, replicas
//
// Reads are strongly consistent by default. In a global table conditions hold within one region
// only, unless the table has multi-region strong consistency: send one user's requests to one
// region.
package dynamostore

import (
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

const defaultTable = "sessions"

// Options are the settings of a DynamoDB store. The zero value, and a nil *Options, is the
// safe default.
type Options struct {
	// Options are the settings that every store shares.
	scskit.Options

	// Table is the name of the table. Empty means "sessions". It has 3 to 255 ASCII letters,
	// digits, underscores, hyphens and dots; anything else is an error. It is a name whatever it
	// looks like: "123" too.
	Table string

	// EventuallyConsistentReads halves the price of reads. A session that was destroyed, or
	// changed, may then be found as it was for a moment, usually less than a second. Saves notice
	// and lose nothing; but for that moment, a logout is none. A session that is not found is
	// looked for once more, by a strongly consistent read.
	EventuallyConsistentReads bool

	// ReadCapacity and WriteCapacity are the provisioned capacity units with which CreateSchema
	// makes the table, and once more the index of users. Zero, both, means on-demand; one without
	// the other, or a negative one, is an error. They change nothing about a table that exists.
	ReadCapacity  int64
	WriteCapacity int64

	// TTLDisabled makes CreateSchema leave the table's TTL as it is, and CheckSchema not ask for
	// it. Expired sessions then stay until somebody sweeps.
	TTLDisabled bool
}

// New returns a store that keeps its sessions in a table that client reaches. It sends no
// request: that the table is missing is found out by the first operation, whose error then
// matches driver.ErrNoSchema, or by the store's CheckSchema. What is throttled, or fails
// for a moment, is tried again by the client, as often as it is configured to.
func New(client *dynamodb.Client, opts *Options) (*scskit.Store, error) {
	if opts == nil {
		opts = new(Options)
	}
	d, err := newDriver(client, opts)
	if err != nil {
		return nil, err
	}
	return scskit.NewStore(d, &opts.Options)
}

func newDriver(client *dynamodb.Client, opts *Options) (driver.Driver, error) {
	if client == nil {
		return nil, errors.New("dynamostore: the client is nil")
	}
	t := &table{
		client: client, name: opts.Table, consistent: !opts.EventuallyConsistentReads,
		ttl:   !opts.TTLDisabled,
		users: opts.UserKey != "", readCapacity: opts.ReadCapacity, writeCapacity: opts.WriteCapacity,
		now: opts.Now,
	}
	if t.name == "" {
		t.name = defaultTable
	}
	if !isTableName(t.name) {
		return nil, fmt.Errorf("dynamostore: Options.Table is %q: it must be 3 to 255 ASCII letters, "+
			"digits, underscores, hyphens and dots", t.name)
	}
	if t.readCapacity < 0 || t.writeCapacity < 0 || (t.readCapacity == 0) != (t.writeCapacity == 0) {
		return nil, fmt.Errorf("dynamostore: Options.ReadCapacity is %d and WriteCapacity %d: both "+
			"must be positive, or both zero for on-demand", t.readCapacity, t.writeCapacity)
	}
	if t.now == nil {
		t.now = time.Now
	}
	if t.users {
		return &userTable{t}, nil
	}
	return t, nil
}

func isTableName(s string) bool {
	if len(s) < 3 || len(s) > 255 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-',
			c == '.':
		default:
			return false
		}
	}
	return true
}
