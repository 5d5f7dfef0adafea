// Package customstore is an example of a custom store: it keeps each session in a file, in one
// directory. It implements the four methods of driver.Driver; scskit.NewStore adds hashing,
// merging, timeouts and events. Its tests run the conformance kit.
//
// Only one process may use the directory, since the lock that makes a conditional save atomic is in
// the process's memory.
package customstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// New returns a store that keeps its sessions in the directory dir. The directory must exist, and
// must not be readable by other users.
func New(dir string, opts *scskit.Options) (*scskit.Store, error) {
	d, err := newDriver(dir)
	if err != nil {
		return nil, err
	}
	return scskit.NewStore(d, opts)
}

func newDriver(dir string) (driver.Driver, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("customstore: %w", err)
	}
	return &directory{root: root}, nil
}

type directory struct {
	root *os.Root
	mu   sync.RWMutex // makes it one step to read a record and replace it
}

var (
	_ driver.Driver  = (*directory)(nil)
	_ driver.Ranger  = (*directory)(nil)
	_ driver.Sweeper = (*directory)(nil)
)

func (d *directory) Load(ctx context.Context, id string) (driver.Record, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	rec, err := d.read(ctx, fileName(id))
	return rec, failure("load", err)
}

func (d *directory) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	old, err := d.read(ctx, fileName(rec.ID))
	live := err == nil
	if err != nil && !errors.Is(err, driver.ErrNotFound) {
		return failure("save", err)
	}
	if cond.Absent() && live {
		return driver.ErrConflict
	}
	if v, ok := cond.Match(); ok && (!live || old.Version != v) {
		return driver.ErrConflict
	}
	if live {
		rec.Created = old.Created
	}
	return failure("save", d.write(rec))
}

func (d *directory) Touch(ctx context.Context, rec driver.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	stored, err := d.read(ctx, fileName(rec.ID))
	if err != nil {
		return failure("touch", err)
	}
	if stored.Version != rec.Version {
		return driver.ErrConflict
	}
	stored.Expiry, stored.Seen = rec.Expiry, rec.Seen
	return failure("touch", d.write(stored))
}

func (d *directory) Delete(ctx context.Context, id string, cond driver.Condition) error {
	if err := ctx.Err(); err != nil {
		return failure("delete", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if v, ok := cond.Match(); ok {
		if stored, err := d.read(ctx, fileName(id)); err != nil {
			return failure("delete", err)
		} else if stored.Version != v {
			return driver.ErrConflict
		}
	}
	err := d.root.Remove(fileName(id))
	if errors.Is(err, fs.ErrNotExist) {
		return driver.ErrNotFound
	}
	return failure("delete", err)
}

// Range lists the directory in batches. It holds the lock only while it reads one record.
func (d *directory) Range(ctx context.Context) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		for name, err := range d.files() {
			if err != nil {
				yield(driver.Record{}, failure("range", err))
				return
			}
			d.mu.RLock()
			rec, err := d.read(ctx, name)
			d.mu.RUnlock()
			if errors.Is(err, driver.ErrNotFound) {
				continue
			}
			if !yield(rec, failure("range", err)) || err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil { // not checked above if the directory is empty
			yield(driver.Record{}, failure("range", err))
		}
	}
}

// Sweep uses the program's clock without the margin that driver.Sweeper asks for, since only one
// process uses the directory.
func (d *directory) Sweep(ctx context.Context, limit int) (removed int, err error) {
	for name, err := range d.files() {
		if err != nil {
			return removed, failure("sweep", err)
		}
		if removed == limit {
			break
		}
		gone, err := d.sweep(ctx, name)
		if err != nil {
			return removed, failure("sweep", err)
		}
		if gone {
			removed++
		}
	}
	return removed, failure("sweep", ctx.Err())
}

func (d *directory) sweep(ctx context.Context, name string) (removed bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, err := d.read(ctx, name); !errors.Is(err, driver.ErrNotFound) {
		return false, err
	}
	err = d.root.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// read returns the live record in a file, or driver.ErrNotFound.
func (d *directory) read(ctx context.Context, name string) (driver.Record, error) {
	if err := ctx.Err(); err != nil {
		return driver.Record{}, err
	}
	b, err := d.root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return driver.Record{}, driver.ErrNotFound
	}
	if err != nil {
		return driver.Record{}, err
	}
	var rec driver.Record
	if err := gob.NewDecoder(bytes.NewReader(b)).Decode(&rec); err != nil {
		return driver.Record{}, err
	}
	if !rec.Expiry.After(time.Now()) {
		return driver.Record{}, driver.ErrNotFound
	}
	return rec, nil
}

// write replaces a file atomically: a reader sees the old or the new record, even if the process is
// killed.
func (d *directory) write(rec driver.Record) (err error) {
	rec.Expiry, rec.Created = rec.Expiry.UTC(), rec.Created.UTC()
	rec.Updated, rec.Seen = rec.Updated.UTC(), rec.Seen.UTC()
	name := fileName(rec.ID)
	f, err := d.root.OpenFile(name+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(gob.NewEncoder(f).Encode(rec), f.Close())
	if err == nil {
		err = d.root.Rename(name+".new", name)
	}
	return err
}

// files yields the names of the files that hold a record.
func (d *directory) files() iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		dir, err := d.root.Open(".")
		if err != nil {
			yield("", err)
			return
		}
		defer dir.Close()
		for {
			entries, err := dir.ReadDir(256)
			for _, e := range entries {
				if !strings.HasSuffix(e.Name(), ".new") && !yield(e.Name(), nil) {
					return
				}
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield("", err)
				return
			}
		}
	}
}

// fileName hashes the id, so that every id gives a valid file name.
func fileName(id string) string {
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// failure adds the operation to an error. It returns driver.ErrNotFound as it is.
func failure(op string, err error) error {
	if err == nil || errors.Is(err, driver.ErrNotFound) {
		return err
	}
	return fmt.Errorf("customstore: %s: %w", op, err)
}
