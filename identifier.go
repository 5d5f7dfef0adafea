package scskit

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/scskit/scskit/driver"
)

// keyPrefix starts the keys that All returns for hashed ids. Tokens of scs contain no dot.
const keyPrefix = "id."

// identifier maps tokens to ids.
//
// If ids are hashed, All cannot return tokens. It must not return ids that work as tokens either,
// since an attacker who can read the backend could then use its ids as cookies. All therefore
// returns ids signed with a secret of this process. Such a key also holds the version and a
// checksum of the record that was listed.
type identifier struct {
	plain  bool
	max    int // maximum length of a token in bytes
	secret [sha256.Size]byte
}

func newIdentifier(plain bool, max int) (identifier, error) {
	i := identifier{plain: plain, max: max}
	if _, err := rand.Read(i.secret[:]); err != nil {
		return i, fmt.Errorf("scskit: %w", err)
	}
	return i, nil
}

// id returns the id for a token or a key from All. ok is false if token cannot be either.
func (i *identifier) id(token string) (id string, ok bool) {
	if token == "" || len(token) > i.max {
		return "", false
	}
	if i.plain {
		return token, true
	}
	if l, ok := i.open(token); ok {
		return l.id, true
	}
	return hash(token), true
}

// listing is the content of a key from All.
type listing struct {
	id      string
	version int64
	sum     string // of the data
}

// listed returns the content of token if it is a key from All.
func (i *identifier) listed(token string) (l listing, ok bool) {
	if i.plain {
		return listing{}, false
	}
	return i.open(token)
}

// key returns the key that All returns for a record.
func (i *identifier) key(rec driver.Record) string {
	if i.plain {
		return rec.ID
	}
	text := rec.ID + "." + strconv.FormatInt(rec.Version, 36) + "." + sumOf(rec.Data)
	return keyPrefix + text + "." + i.sign(text)
}

func (i *identifier) open(key string) (l listing, ok bool) {
	rest, ok := strings.CutPrefix(key, keyPrefix)
	if !ok {
		return l, false
	}
	dot := strings.LastIndexByte(rest, '.')
	if dot < 0 || !hmac.Equal([]byte(rest[dot+1:]), []byte(i.sign(rest[:dot]))) {
		return l, false
	}
	fields := strings.Split(rest[:dot], ".") // no field has a dot
	if len(fields) != 3 {
		return l, false
	}
	version, err := strconv.ParseInt(fields[1], 36, 64)
	return listing{id: fields[0], version: version, sum: fields[2]}, err == nil
}

// sumOf returns a checksum of the data.
func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

func (i *identifier) sign(id string) string {
	mac := hmac.New(sha256.New, i.secret[:])
	mac.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// public returns the id as it may be logged: always a hash.
func (i *identifier) public(id string) string {
	if i.plain && id != "" {
		return hash(id)
	}
	return id
}

func hash(token string) string {
	var (
		in  [64]byte
		out [(sha256.Size*8 + 5) / 6]byte
	)
	sum := sha256.Sum256(append(in[:0], token...)) // no allocation: scs tokens have 43 bytes
	base64.RawURLEncoding.Encode(out[:], sum[:])
	return string(out[:])
}

// redact removes a token, or an id that may be a token, from the text of an error. errors.Is and
// errors.As still work.
func redact(err error, secret string) error {
	if secret == "" || !strings.Contains(err.Error(), secret) {
		return err
	}
	return &redactedError{err: err, secret: secret}
}

type redactedError struct {
	err    error
	secret string
}

func (e *redactedError) Error() string {
	return strings.ReplaceAll(e.err.Error(), e.secret, "[redacted]")
}

// There is no Unwrap, since that would return the unredacted error.
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }

func (e *redactedError) As(target any) bool { return errors.As(e.err, target) }

// HashToken returns the SHA-256 of a token in unpadded URL base64. By default this is the id that
// the session is stored under. Event.ID and UserSession.ID are the same. You may log it.
func HashToken(token string) string { return hash(token) }
