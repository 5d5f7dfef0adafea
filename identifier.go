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

// keyPrefix begins the keys that All returns for hashed ids. A dot is in no
// token that scs draws.
const keyPrefix = "id."

// identifier turns tokens into ids.
//
// Where ids are hashed, All cannot return tokens, and an id must not be taken for a
// token: whoever reads the backend could then use its ids as cookies. The keys it returns
// instead are ids signed with a secret of this process, so that only All can make them. A key also
// says which version of the record was listed, and what it held.
type identifier struct {
	plain  bool
	max    int // bytes of a token
	secret [sha256.Size]byte
}

func newIdentifier(plain bool, max int) (identifier, error) {
	i := identifier{plain: plain, max: max}
	if _, err := rand.Read(i.secret[:]); err != nil {
		return i, fmt.Errorf("scskit: %w", err)
	}
	return i, nil
}

// id returns the id for a token or a key from All. ok is false for what can be neither;
// it then needs no look in the backend.
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

// listing is what a key from All stands for.
type listing struct {
	id      string
	version int64
	sum     string // of the data
}

// listed returns what token stands for, if it is a key from All.
func (i *identifier) listed(token string) (l listing, ok bool) {
	if i.plain {
		return listing{}, false
	}
	return i.open(token)
}

// key returns the key under which All returns a record.
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
	fields := strings.Split(rest[:dot], ".") // none of which has a dot
	if len(fields) != 3 {
		return l, false
	}
	version, err := strconv.ParseInt(fields[1], 36, 64)
	return listing{id: fields[0], version: version, sum: fields[2]}, err == nil
}

// sumOf tells data from other data of the same session.
func sumOf(data []byte) string {
	sum := sha256.Sum256(data)
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

func (i *identifier) sign(id string) string {
	mac := hmac.New(sha256.New, i.secret[:])
	mac.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// public returns the form of an id that may be shown.
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
	sum := sha256.Sum256(append(in[:0], token...)) // on the stack: scs's tokens have 43 bytes
	base64.RawURLEncoding.Encode(out[:], sum[:])
	return string(out[:])
}

// redact keeps a token, or an id that may be one, out of an error's text. The
// error's kind is left for errors.Is and As.
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

// Is and As are answered from the hidden error. There is no Unwrap: it would
// hand out the text.
func (e *redactedError) Is(target error) bool { return errors.Is(e.err, target) }

func (e *redactedError) As(target any) bool { return errors.As(e.err, target) }

// HashToken returns the SHA-256 of a token in unpadded URL base64: the id under which a store keeps
// its session by default, and what events call it. It may be logged.
func HashToken(token string) string { return hash(token) }
