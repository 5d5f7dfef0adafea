package dynamostore

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/scskit/scskit/driver"
)

// Names of attributes.
const (
	attrID       = "id"
	attrData     = "data"
	attrVersion  = "version"
	attrExpiry   = "expiry_ms"
	attrCreated  = "created"
	attrUpdated  = "updated"
	attrSeen     = "seen"
	attrExpireAt = "expire_at"
	attrUser     = "user"
)

// maxData is DynamoDB's limit for an item, 400 KB, less 1 KB for the names of all attributes and
// the values of the others: an id of 512 bytes, six numbers and a user of 64 bytes, together about
// 750 bytes.
const maxData = 400<<10 - 1<<10

type item = map[string]types.AttributeValue

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func binary(s string) types.AttributeValue {
	return &types.AttributeValueMemberB{Value: []byte(s)}
}

func key(id string) item { return item{attrID: binary(id)} }

// seconds rounds up so that DynamoDB never removes a live record.
func seconds(expiry time.Time) int64 {
	ms := expiry.UnixMilli()
	s := ms / 1000
	if ms%1000 > 0 {
		s++
	}
	return s
}

// encode returns the item of a record. It omits empty data, because not every server accepts an
// empty value.
func encode(rec driver.Record) item {
	it := key(rec.ID)
	if len(rec.Data) > 0 {
		it[attrData] = &types.AttributeValueMemberB{Value: rec.Data}
	}
	it[attrVersion] = number(rec.Version)
	it[attrExpiry] = number(rec.Expiry.UnixMilli())
	it[attrCreated] = number(rec.Created.UnixMilli())
	it[attrUpdated] = number(rec.Updated.UnixMilli())
	it[attrSeen] = number(rec.Seen.UnixMilli())
	it[attrExpireAt] = number(seconds(rec.Expiry))
	if rec.User != "" {
		it[attrUser] = binary(rec.User)
	}
	return it
}

// decode returns a copy of the record in an item. It ignores attributes with other names. An item
// without seen, which an earlier version wrote, was last seen when it was updated.
func decode(it item) (driver.Record, error) {
	var rec driver.Record
	id, ok := it[attrID].(*types.AttributeValueMemberB)
	if !ok {
		return rec, errors.New("an item is not a session: id is not binary")
	}
	data := []byte{}
	switch v := it[attrData].(type) {
	case nil:
	case *types.AttributeValueMemberB:
		data = bytes.Clone(v.Value)
	default:
		return rec, errors.New("an item is not a session: data is not binary")
	}
	var expiry, created, updated, seen int64
	for _, n := range []struct {
		name string
		to   *int64
	}{
		{attrVersion, &rec.Version}, {attrExpiry, &expiry}, {attrCreated, &created},
		{attrUpdated, &updated}, {attrSeen, &seen},
	} {
		if it[n.name] == nil && n.name == attrSeen {
			seen = updated
			continue
		}
		v, ok := it[n.name].(*types.AttributeValueMemberN)
		if ok {
			var err error
			*n.to, err = strconv.ParseInt(v.Value, 10, 64)
			ok = err == nil
		}
		if !ok {
			return driver.Record{}, fmt.Errorf("an item is not a session: %s is not an integer", n.name)
		}
	}
	if user, ok := it[attrUser].(*types.AttributeValueMemberB); ok {
		rec.User = string(user.Value)
	}
	rec.ID, rec.Data = string(id.Value), data
	rec.Expiry = time.UnixMilli(expiry).UTC()
	rec.Created = time.UnixMilli(created).UTC()
	rec.Updated = time.UnixMilli(updated).UTC()
	rec.Seen = time.UnixMilli(seen).UTC()
	return rec, nil
}
