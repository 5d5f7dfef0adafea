package redisstore

import (
	"encoding/binary"
	"time"

	"github.com/scskit/scskit/driver"
)

// The value of a session is a header followed by the data. Integers are big-endian.
//
//	 0  1 byte   format: formatPlain, or formatUser if the session has a user
//	 1  8 bytes  version
//	 9  6 bytes  expiry
//	15  6 bytes  seen
//	21  6 bytes  created
//	27  6 bytes  updated
//	33           in formatUser: 1 byte with the length of the user, and the user
//
// The scripts in script.go depend on this layout: a touch overwrites expiry and seen in one piece.
// Load is a single GET because the header holds the expiry. Times are milliseconds since 1970. 48
// bits of them reach to the year 10889. Times outside of this range are clamped to it.
//
// A hash with one field per part takes more memory and is slower to read. With Redis 7.0.15, 75
// bytes of data and a header of 25 bytes, a session took 560 bytes instead of 216, and a server did
// 0.95 million reads a second instead of 1.47 million. Saves were faster (0.26 million instead of
// 0.22 million), touches equal.
const (
	// Neither byte occurs in UTF-8 text or at the start of a gob.
	formatPlain = 0xf5
	formatUser  = 0xf6

	header   = 33
	fromUser = header + 1
	maxUser  = 64 // of driver.Record

	maxMillis = 1<<48 - 1
)

// maxData is the most data that fits into the longest string that Redis accepts by default, 512
// MiB.
const maxData = 512<<20 - fromUser - maxUser

// encode returns the value for a new record. If a save replaces a live record, saveScript puts that
// record's created into the value. The user has at most maxUser bytes.
func encode(rec driver.Record) []byte {
	b := make([]byte, 0, fromUser+len(rec.User)+len(rec.Data))
	if rec.User == "" {
		b = append(b, formatPlain)
	} else {
		b = append(b, formatUser)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(rec.Version))
	b = appendMillis(b, millis(rec.Expiry))
	b = appendMillis(b, millis(rec.Seen))
	created := millis(rec.Created)
	b = appendMillis(b, created)
	b = appendMillis(b, max(millis(rec.Updated), created))
	if rec.User != "" {
		b = append(b, byte(len(rec.User)))
		b = append(b, rec.User...)
	}
	return append(b, rec.Data...)
}

// decode returns the record in a value. Its Data is part of b. ok is false if b is not a session.
func decode(id string, b []byte) (rec driver.Record, ok bool) {
	if len(b) < header {
		return driver.Record{}, false
	}
	user, data := "", b[header:]
	switch b[0] {
	case formatPlain:
	case formatUser:
		if len(data) == 0 {
			return driver.Record{}, false
		}
		n := int(data[0])
		if data = data[1:]; n > maxUser || n > len(data) {
			return driver.Record{}, false
		}
		user, data = string(data[:n]), data[n:]
	default:
		return driver.Record{}, false
	}
	created := readMillis(b[21:])
	return driver.Record{
		ID:      id,
		Data:    data[:len(data):len(data)],
		Expiry:  time.UnixMilli(readMillis(b[9:])).UTC(),
		Seen:    time.UnixMilli(readMillis(b[15:])).UTC(),
		Created: time.UnixMilli(created).UTC(),
		// saveScript may have put a created into the header that is after updated.
		Updated: time.UnixMilli(max(readMillis(b[27:]), created)).UTC(),
		Version: int64(binary.BigEndian.Uint64(b[1:])),
		User:    user,
	}, true
}

// encodeVersion returns the version as the header holds it.
func encodeVersion(v int64) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 8), uint64(v))
}

// encodeTouch returns expiry and seen as the header holds them.
func encodeTouch(rec driver.Record) []byte {
	return appendMillis(appendMillis(make([]byte, 0, 12), millis(rec.Expiry)), millis(rec.Seen))
}

// millis rounds down so that no record outlives its expiry.
func millis(t time.Time) int64 { return min(max(t.UnixMilli(), 0), maxMillis) }

// expireAt returns the time for PXAT and PEXPIREAT. It is at least 1, because 0 is an error in
// Redis.
func expireAt(t time.Time) int64 { return max(millis(t), 1) }

func appendMillis(b []byte, ms int64) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(ms>>32))
	return binary.BigEndian.AppendUint32(b, uint32(ms))
}

func readMillis(b []byte) int64 {
	return int64(binary.BigEndian.Uint16(b))<<32 | int64(binary.BigEndian.Uint32(b[2:]))
}
