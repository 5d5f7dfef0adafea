package scskit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"time"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/records"
)

func init() {
	records.Of = func(store any) records.Access { return recordAccess{store.(*Store)} }
	records.Marker = lockMark
}

// recordAccess is what package migrate needs of a store. It is no part of the API.
type recordAccess struct{ store *Store }

func (a recordAccess) Backend() any            { return a.store.backend() }
func (a recordAccess) Carries() bool           { return a.store.carrier != nil }
func (a recordAccess) Plain() bool             { return a.store.ids.plain }
func (a recordAccess) Now() time.Time          { return a.store.opts.Now() }
func (a recordAccess) Public(id string) string { return a.store.ids.public(id) }

func (a recordAccess) Keyed() bool { return a.store.sealer != nil }

func (a recordAccess) Timed() bool {
	_, untimed := driver.As[records.Untimed](a.store.driver)
	return !untimed
}

func (a recordAccess) Ended(rec driver.Record) bool {
	return a.store.codec.ended(rec.Data, a.store.opts.Now())
}

func (a recordAccess) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	if r, ok := driver.As[driver.Ranger](a.store.driver); ok {
		return r.Range(ctx)
	}
	return func(yield func(driver.Record, error) bool) {
		yield(driver.Record{}, fmt.Errorf("%T cannot list sessions: %w", a.store.backend(),
			errors.ErrUnsupported))
	}
}

func (a recordAccess) Open(rec *driver.Record) (records.Kind, error) {
	if err := a.store.open(rec); err != nil {
		return records.Session, &records.Unreadable{Err: err}
	}
	return a.kind(rec)
}

func (a recordAccess) kind(rec *driver.Record) (records.Kind, error) {
	kind := kindOf(rec.Data)
	err := a.Readable(*rec)
	if err != nil {
		rec.Data = nil
	}
	return kind, err
}

func kindOf(data []byte) records.Kind {
	if _, isTombstone := tombstoneOf(data); isTombstone {
		return records.Tombstone
	}
	if isLock(data) {
		return records.Lock
	}
	return records.Session
}

func (recordAccess) KindOf(data []byte) records.Kind { return kindOf(data) }

func (a recordAccess) Readable(rec driver.Record) error {
	if err := a.store.readable(rec); err != nil {
		return &records.Unreadable{Err: err}
	}
	return nil
}

func (a recordAccess) Unseal(rec *driver.Record) (records.Kind, error) {
	if err := a.store.open(rec); err != nil {
		return records.Session, &records.Unreadable{Err: err}
	}
	return kindOf(rec.Data), nil
}

func (a recordAccess) Load(ctx context.Context, id string) (driver.Record, records.Kind, error) {
	rec, kind, err := a.Raw(ctx, id)
	if err == nil {
		kind, err = a.kind(&rec)
	}
	return rec, kind, err
}

func (a recordAccess) Raw(ctx context.Context, id string) (driver.Record, records.Kind, error) {
	rec, err := a.store.loadAny(ctx, id)
	switch {
	case unreadable(err):
		return rec, records.Session, &records.Unreadable{Err: err}
	case err != nil:
		return driver.Record{}, records.Session, err
	}
	return rec, kindOf(rec.Data), nil
}

func (a recordAccess) Convert(from records.Access, rec driver.Record,
	kind records.Kind) (driver.Record, error) {
	s, source := a.store, from.(recordAccess).store
	id := func(old string) string { return old }
	if source.ids.plain && !s.ids.plain {
		id = hash
	}
	rec.ID, rec.Replaces, rec.Rewrite = id(rec.ID), "", false
	rec.Expiry = ceilMilli(rec.Expiry)
	var err error
	if kind == records.Tombstone {
		t, _ := tombstoneOf(rec.Data)
		t.next = slices.Clone(t.next)
		for i := range t.next {
			t.next[i].id = id(t.next[i].id)
		}
		rec.Data = t.data()
	} else if rec.Data, err = s.codec.recode(source.codec, rec.Data); err != nil {
		return rec, err
	}
	// A store does not check the size of tombstones.
	if kind == records.Session && len(rec.Data) > s.maxSize {
		return rec, s.tooLarge(rec.Data)
	}
	if s.opts.UserKey == "" {
		return rec, nil // what the source knows of the user does no harm
	}
	rec.User, err = s.userOf(rec.Data)
	return rec, err
}

// recode returns the record of another codec in this one.
func (c storeCodec) recode(from storeCodec, record []byte) ([]byte, error) {
	if c.own && from.own || c.own == from.own && equalCodecs(c.Codec, from.Codec) {
		return record, nil
	}
	deadline, values, err := from.Decode(record)
	if err != nil {
		return nil, err
	}
	return c.Encode(deadline, values)
}

func equalCodecs(a, b any) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && reflect.ValueOf(a).Comparable() && a == b
}

func (a recordAccess) Canonical(rec driver.Record, kind records.Kind) []byte {
	c := a.store.codec
	if kind != records.Session || c.own && len(rec.Data) > 0 && rec.Data[0] == 0xc1 {
		return rec.Data
	}
	deadline, values, err := c.Decode(rec.Data)
	if err != nil {
		return rec.Data
	}
	data, err := Codec{}.Encode(deadline, values)
	if err != nil { // a value that only the store's codec can encode
		return rec.Data
	}
	return data
}

func (a recordAccess) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	op := a.store.begin(ctx)
	sealed := a.store.sealed(rec)
	err := a.store.driver.Save(op.ctx, sealed, cond)
	return op.end(KindSave, rec.ID, err)
}

func (a recordAccess) Touch(ctx context.Context, rec driver.Record) error {
	op := a.store.begin(ctx)
	err := a.store.driver.Touch(op.ctx, rec)
	return op.end(KindTouch, rec.ID, err)
}

func (a recordAccess) Delete(ctx context.Context, id string, cond driver.Condition) error {
	return a.store.remove(ctx, id, cond)
}

func (a recordAccess) Turn(ctx context.Context, id string) (end func(), err error) {
	turns := a.store.mergeLocks
	if err := turns.lock(ctx, id); err != nil {
		return nil, err
	}
	return func() { turns.unlock(id) }, nil
}

func (a recordAccess) Quiet() records.Access {
	quiet := *a.store
	quiet.opts.Observer = nil
	return recordAccess{&quiet}
}

func (a recordAccess) Carried(ctx context.Context, id string, took time.Duration, err error) {
	e := Event{Kind: KindCarry, Outcome: OutcomeOK, ID: a.Public(id), Duration: took}
	if err != nil {
		e.Outcome, e.Err = OutcomeFailed, err
	}
	a.store.report(ctx, e)
}

func (a recordAccess) MaxSize() int { return a.store.maxSize }

func (a recordAccess) Timeout() time.Duration { return a.store.opts.Timeout }

func (a recordAccess) Over(d driver.Driver, timeout time.Duration, maxSize int) (any, error) {
	opts := a.store.opts
	opts.Keys, opts.Plaintext = nil, RefusePlaintext
	opts.Timeout, opts.MaxSize = timeout, maxSize
	return NewStore(d, &opts)
}
