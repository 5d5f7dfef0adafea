// Package cookiestore keeps sessions in the client: the session cookie contains the encrypted
// session. There is no server to run, and no record to look up. Every response that changes a
// session sends all of it.
//
// This has consequences that your application must accept:
//
//   - A session cannot be revoked. Destroy deletes the cookie in the browser, but a copy of it
//     stays valid until it expires. So does the old cookie after RenewToken. Keep lifetimes short.
//   - Concurrent requests do not see each other's changes. If two requests change the session at
//     once, the browser keeps the response that arrives last.
//   - A session must fit into cookies, which the browser sends with every request: see
//     Options.MaxBytes. Servers limit the size of request headers. Fiber's limit is 4096 bytes,
//     unless you raise Config.ReadBufferSize.
//   - The store works only behind the adapters of scskit, which write the cookie. All methods of
//     the session manager for handlers work; Iterate does not.
//
// AES-256-GCM encrypts and authenticates the session together with the name of its cookie. A client
// can neither read nor change a session, nor use it under another cookie name.
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
	maxMaxBytes     = 60000 // bytes; the adapters join at most 16 cookies

	// binding, followed by the cookie's name, is authenticated with each session. Data that is
	// sealed elsewhere under the same key does not open as a session.
	binding = "scskit cookie 2 "

	headerBytes = 24 // expiry, time of the last save, version
)

// Options are the settings of a cookie store. The zero value and a nil *Options are safe defaults.
type Options struct {
	// Options are the settings that all stores share. PlainIDs and Timeout have no effect here:
	// no id is stored, and no operation waits for a backend. MaxSize applies as well as MaxBytes.
	scskit.Options

	// CookieName is the name of the cookie. It must equal the session manager's Cookie.Name. Empty
	// means "session", which is also the manager's default.
	CookieName string

	// MaxBytes limits the total size of a session's cookies, including their names, after
	// encryption and base64. A session is split into cookies of at most 4096 bytes. Zero means
	// 8000, because proxies and servers commonly accept headers of 8 KB. More than 60000 is an
	// error. Saving a larger session fails with a *driver.TooLargeError.
	MaxBytes int
}

// New returns a store that keeps sessions in cookies. Each key is 32 random bytes; package keyring
// reads and makes them. The store encrypts with the first key and decrypts with any of them.
//
// To rotate keys without signing anybody out, deploy three times: append the new key, so that every
// instance can decrypt with it; move it to the front; and remove the old one once the longest
// session lifetime has passed since every instance has it at the front. An instance that lacks a
// key treats a cookie that is encrypted with it as no session.
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
		return nil, fmt.Errorf("cookiestore: Options.MaxBytes is %d: too small for any session", c.max)
	}
	return c, nil
}

// carrier implements driver.Carrier.
type carrier struct {
	sealer *seal.Sealer
	name   string
	max    int
}

var _ driver.Carrier = (*carrier)(nil)

func (c *carrier) CookieName() string { return c.name }

// Open implements driver.Carrier. The error is driver.ErrNotFound for any value that Carry has not
// returned.
func (c *carrier) Open(value string) (driver.Record, error) {
	sealed, err := encoding.DecodeString(value)
	// The decoder ignores line breaks, which Carry never writes.
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

// Carry implements driver.Carrier.
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

// encoding is strict, so that each record has exactly one encoding.
var encoding = base64.RawURLEncoding.Strict()

// maxData returns the largest number of bytes of data that fit. Each of the cookies that share a
// value has a name, and up to perCookie bytes for its number and for the value it belongs to.
func (c *carrier) maxData() int {
	const cookieBytes, perCookie = 4096, 12
	cookies := (c.max + cookieBytes - 1) / cookieBytes
	left := c.max - cookies*(len(c.name)+perCookie)
	return encoding.DecodedLen(max(left, 0)) - c.sealer.Overhead() - headerBytes
}
