// Package cookiestore keeps sessions in the client, sealed in the session cookie itself. There is
// no server to run and no record to find: each response that changes a session sends all of it.
//
// That has a price, and an application must be able to live with it:
//
//   - A session cannot be revoked. Destroy makes the browser forget it, but a copy of the cookie
//     opens until it expires, and RenewToken leaves the old one valid. Keep lifetimes short.
//   - Concurrent requests do not see each other: of two that change the session at once, the
//     browser keeps what arrives last.
//   - A session must fit into cookies, and travels with each request: Options.MaxBytes. Servers
//     bound the header of a request; Fiber refuses more than 4096 bytes unless its
//     Config.ReadBufferSize is larger.
//   - It works only behind the adapters of scskit, which write the cookie. All of the manager's methods
//     for handlers work; Iterate does not.
//
// The session is sealed with AES-256-GCM and bound to the name of its cookie. A client can neither
// read nor change it, nor use it under another name.
package cookiestore

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/seal"
)

const (
	defaultName     = "session"
	defaultMaxBytes = 8000
	maxMaxBytes     = 60000 // what the adapters put together again

	// binding says what is sealed, so that a key which is also used elsewhere opens nothing of
	// there. The cookie's name follows.
	binding = "scskit cookie 2 "

	headerBytes = 24 // expiry, update and version
)

// Options are the settings of a cookie store. The zero value, and a nil *Options,
// is the safe default.
type Options struct {
	// Options are the settings that every store shares. PlainIDs, MaxSize and Timeout mean
	// nothing here: no id is stored, MaxBytes bounds the session, and nothing is waited for.
	scskit.Options

	// CookieName is the name of the cookie, and must be the manager's Cookie.Name. Empty means
	// "session", as it does for the manager.
	CookieName string

	// MaxBytes is the most bytes of cookies that a session may take, names and all, once it is
	// sealed and encoded in base64. It is split into cookies of 4096 bytes. Zero means 8000:
	// proxies and servers commonly take headers of 8 KB. More than 60000 is an error. A session
	// that is larger is a *driver.TooLargeError.
	MaxBytes int
}

// New returns a store that keeps its sessions in cookies. The keys have 32 random bytes each. The
// first seals; all open. To rotate, put a new key first, and drop the old one when the longest
// lifetime has passed: what it sealed is then no session any more.
func New(keys [][]byte, opts *Options) (*scskit.Store, error) {
	if opts == nil {
		opts = new(Options)
	}
	c, err := newCarrier(keys, opts)
	if err != nil {
		return nil, err
	}
	return scskit.NewCarrierStore(c, &opts.Options)
}

func newCarrier(keys [][]byte, opts *Options) (*carrier, error) {
	sealer, err := seal.New(keys)
	if err != nil {
		return nil, fmt.Errorf("cookiestore: %w", err)
	}
	c := &carrier{sealer: sealer, name: opts.CookieName, max: opts.MaxBytes}
	if c.name == "" {
		c.name = defaultName
	}
	switch {
	case c.max < 0 || c.max > maxMaxBytes:
		return nil, fmt.Errorf("cookiestore: Options.MaxBytes is %d: it must be from 0 to %d", c.max,
			maxMaxBytes)
	case c.max == 0:
		c.max = defaultMaxBytes
	}
	if c.maxData() <= 0 {
		return nil, fmt.Errorf("cookiestore: Options.MaxBytes is %d: nothing fits", c.max)
	}
	return c, nil
}

// carrier is the driver.Carrier.
type carrier struct {
	sealer *seal.Sealer
	name   string
	max    int
}

var _ driver.Carrier = (*carrier)(nil)

func (c *carrier) CookieName() string { return c.name }

// Open implements driver.Carrier. A value that does not open is not found, whoever sent it.
func (c *carrier) Open(value string) (driver.Record, error) {
	sealed, err := encoding.DecodeString(value)
	// The decoder passes over line ends, but they are not what Carry has written.
	if err != nil || strings.ContainsAny(value, "\r\n") {
		return driver.Record{}, driver.ErrNotFound
	}
	plain, current, err := c.sealer.Open(sealed, binding+c.name)
	if err != nil || len(plain) < headerBytes {
		return driver.Record{}, driver.ErrNotFound
	}
	return driver.Record{
		ID:      value,
		Expiry:  time.UnixMilli(int64(binary.BigEndian.Uint64(plain))).UTC(),
		Updated: time.UnixMilli(int64(binary.BigEndian.Uint64(plain[8:]))).UTC(),
		Version: int64(binary.BigEndian.Uint64(plain[16:])),
		Data:    plain[headerBytes:],
		Rewrite: !current,
	}, nil
}

// Carry seals a record into a cookie's value.
func (c *carrier) Carry(rec driver.Record) (string, error) {
	if limit := c.maxData(); len(rec.Data) > limit {
		return "", &driver.TooLargeError{Size: len(rec.Data), Limit: limit}
	}
	plain := make([]byte, 0, headerBytes+len(rec.Data))
	plain = binary.BigEndian.AppendUint64(plain, uint64(rec.Expiry.UnixMilli()))
	plain = binary.BigEndian.AppendUint64(plain, uint64(rec.Updated.UnixMilli()))
	plain = binary.BigEndian.AppendUint64(plain, uint64(rec.Version))
	plain = append(plain, rec.Data...)
	return encoding.EncodeToString(c.sealer.Seal(plain, binding+c.name)), nil
}

// encoding is strict, so that one cookie has one value.
var encoding = base64.RawURLEncoding.Strict()

// maxData is how many bytes of session fit. For each cookie that a value is split into, its
// name is repeated with a number, and a few bytes say which value it is part of.
func (c *carrier) maxData() int {
	const cookieBytes, perCookie = 4096, 12
	cookies := (c.max + cookieBytes - 1) / cookieBytes
	room := c.max - cookies*(len(c.name)+perCookie)
	return encoding.DecodedLen(max(room, 0)) - c.sealer.Overhead() - headerBytes
}
