// Package dynamostore stores sessions in one table of Amazon DynamoDB, with the AWS SDK for Go v2.
//
// A session is one item:
//
//	id         B  the record's id, the partition key; binary because ids may hold any byte
//	data       B  the encoded session; absent if it is empty
//	version    N  drawn at random for each save
//	expiry_ms  N  when the session expires, in milliseconds since 1970-01-01 00:00 UTC
//	created    N  when it was first saved, in the same unit
//	updated    N  when it was last saved, in the same unit
//	seen       N  when a request last used it, in the same unit
//	expire_at  N  expiry_ms in seconds, rounded up; the attribute of DynamoDB's TTL
//	user       B  the SHA-256 of the user, if Options.UserKey is set and the session has a user
//
// The table must exist before the first session. Create it with the store's CreateSchema, or apply
// its Schema with the AWS command line or your own tools.
//
// # Expired sessions
//
// The store never returns an expired session. DynamoDB's TTL removes expired sessions at no cost,
// mostly within a few days. This is the default. The store's Sweep removes them too, for DynamoDB
// Local and for tables without TTL. It reads the whole table, and its reads and writes cost as much
// as any others.
//
// # Cost
//
// Every operation is one request. A load costs one read unit for each 4 KB of the session. With
// Options.EventuallyConsistentReads it costs half, but a load that finds nothing takes two
// requests. A save, touch or delete costs one write unit for each KB, even if its condition fails.
// Range costs a read unit for each 4 KB of the table, expired sessions included.
//
// # Users
//
// If Options.UserKey is set, CreateSchema also creates a global secondary index named user on the
// attribute user. It adds the index to an existing table as well. That may take a while, and the
// table stays usable in the meantime. The index holds only the user's hash and the id of sessions
// that have a user. So it costs one write unit when a session with a user is created, deleted or
// removed by TTL, two units when the user changes, and none for other saves and touches. SessionsOf
// costs half a read unit for about forty sessions of the user, including expired ones that DynamoDB
// has not removed, and one unit for each 4 KB of each session.
//
// DynamoDB updates such an index after the table, mostly within a second. SessionsOf may therefore
// miss a session that has just been signed in. It reads the sessions it finds from the table with
// strong consistency, so that it returns no session of another user and no destroyed session.
//
// # Permissions
//
// The store needs dynamodb:GetItem, PutItem, UpdateItem and DeleteItem on the table, and Scan for
// All, Range and Sweep. With Options.UserKey it also needs BatchGetItem on the table and Query on
// table/NAME/index/user. CreateSchema needs CreateTable, DescribeTable, DescribeTimeToLive and
// UpdateTimeToLive, and UpdateTable to add the index to a table. CheckSchema needs DescribeTable
// and DescribeTimeToLive.
//
// # Reads and replicas
//
// Reads are strongly consistent by default. In a global table, conditions hold only within one
// region, unless the table has multi-region strong consistency: send all requests of a user to one
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

// Options are the settings of a DynamoDB store. The zero value, and a nil *Options, is the safe
// default.
type Options struct {
	// Options are the settings that every store shares.
	scskit.Options

	// Table is the name of the table. Empty means "sessions". It must have 3 to 255 ASCII letters,
	// digits, underscores, hyphens and dots. A name of digits only, such as "123", is valid.
	Table string

	// EventuallyConsistentReads halves the cost of reads. For a short time, usually less than a
	// second, a load may then return a session that was destroyed, or an old state of a session. A
	// logout takes effect only after that time. Saves detect an old state, so no change is lost. If a
	// load finds no session, it reads once more with strong consistency.
	EventuallyConsistentReads bool

	// ReadCapacity and WriteCapacity are the provisioned capacity units of the table that CreateSchema
	// creates. The index of users gets the same units in addition. If both are zero, the table is
	// on-demand. A negative value is an error, and so is a zero for only one of them. They do not
	// change a table that exists.
	ReadCapacity  int64
	WriteCapacity int64

	// If TTLDisabled is set, CreateSchema does not change the table's TTL, and CheckSchema does not
	// check it. Without TTL, expired sessions stay until a sweep removes them.
	TTLDisabled bool
}

// New returns a store that keeps its sessions in a table of DynamoDB. It sends no request. If the
// table is missing, the first operation and the store's CheckSchema return an error that matches
// driver.ErrNoSchema. The client retries requests that are throttled or fail temporarily, as often
// as it is configured to.
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
		return nil, errors.New("dynamostore: the client is nil: make one with dynamodb.NewFromConfig")
	}
	t := &table{
		client:        client,
		name:          opts.Table,
		consistent:    !opts.EventuallyConsistentReads,
		ttl:           !opts.TTLDisabled,
		users:         opts.UserKey != "",
		readCapacity:  opts.ReadCapacity,
		writeCapacity: opts.WriteCapacity,
		now:           opts.Now,
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
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '_', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}
