package migrate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Checkpoint keeps a small text about a copy: when it began, how far it has come, and the hashed
// ids of what could not be copied. It holds no token, except the first four bytes of one if ids are
// plain. Copy saves it about once a second.
type Checkpoint interface {
	// Load returns what was saved last, or nothing if nothing was.
	Load(ctx context.Context) ([]byte, error)

	// Save replaces what was saved. If it is interrupted, Load returns the old text or the new one.
	Save(ctx context.Context, text []byte) error
}

// File returns a Checkpoint in a file. Its directory must exist. Keep the file until the move is
// over. Remove it to compare everything again, as after the target was emptied.
func File(name string) Checkpoint { return file(name) }

type file string

func (f file) Load(context.Context) ([]byte, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

func (f file) Save(_ context.Context, text []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(string(f)), filepath.Base(string(f))+".*.tmp")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(text)
	if err == nil {
		err = temp.Sync()
	}
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return err
	}
	return os.Rename(temp.Name(), string(f))
}

// maxRetry is how many records that could not be copied a checkpoint remembers. If there are more,
// it is as if the copy had not come so far.
const maxRetry = 1000

// prefixBytes is the part of an id that a checkpoint may hold: so little of a token that it does
// not help to guess the rest, and enough to divide millions of sessions.
const prefixBytes = 4

// state is the text of a checkpoint.
type state struct {
	Format int `json:"format"` // 1
	// From and To guard against the checkpoint of another move.
	From string `json:"from"`
	To   string `json:"to"`

	Started   time.Time `json:"started,omitzero"`   // of the copy that is under way
	Position  []byte    `json:"position,omitempty"` // it has dealt with all ids with a lower prefix
	Completed time.Time `json:"completed,omitzero"` // when the last one began that came to the end

	// Retry are the hashed ids of the records that could not be copied, sorted.
	Retry []string `json:"retry,omitempty"`
}

// load reads the state, or makes a new one.
func (c *copier) load(ctx context.Context) error {
	c.state = state{Format: 1, From: describe(c.from), To: describe(c.to)}
	var text []byte
	var err error
	if c.opts.Checkpoint != nil {
		if text, err = c.opts.Checkpoint.Load(ctx); err != nil {
			return fmt.Errorf("load the checkpoint: %w", err)
		}
	}
	if len(text) > 0 {
		want := c.state
		if err := json.Unmarshal(text, &c.state); err != nil || c.state.Format != want.Format {
			return errors.New("the checkpoint is damaged, or of another version: remove it to begin anew")
		}
		if c.state.From != want.From || c.state.To != want.To {
			return fmt.Errorf("the checkpoint is of a copy from %s to %s: use another one for %s to %s",
				c.state.From, c.state.To, want.From, want.To)
		}
	}
	c.report.Resumed = !c.state.Started.IsZero()
	if !c.report.Resumed {
		c.state.Started, c.state.Position = c.from.Now().UTC(), nil
	}
	// The target is asked before a save if it is likely to have the record.
	c.ask = c.report.Resumed || !c.state.Completed.IsZero()
	c.retry, c.start = sorted(c.state.Retry), c.state
	return nil
}

// describe returns what a checkpoint says of a store.
func describe(a interface {
	Backend() any
	Plain() bool
}) string {
	ids := "hashed"
	if a.Plain() {
		ids = "plain"
	}
	return fmt.Sprintf("%T with %s ids", a.Backend(), ids)
}

// save writes the state. If completed is set, the copy has come to the end.
func (c *copier) save(ctx context.Context, completed bool) error {
	if c.opts.Checkpoint == nil || c.opts.DryRun {
		return nil
	}
	c.mu.Lock()
	switch {
	case completed && len(c.failed) > maxRetry:
		c.state = c.start
	case completed:
		c.state.Completed, c.state.Retry = c.state.Started, sorted(c.failed)
	case len(c.retry)+len(c.failed) <= maxRetry:
		c.state.Position, c.state.Retry = c.position(), sorted(c.retry, c.failed)
	}
	if completed {
		c.state.Started, c.state.Position = time.Time{}, nil
	}
	s := c.state
	c.mu.Unlock()
	text, err := json.MarshalIndent(s, "", "\t")
	if err == nil {
		err = c.opts.Checkpoint.Save(ctx, append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("save the checkpoint: %w", err)
	}
	return nil
}

func sorted(lists ...[]string) []string {
	all := slices.Concat(lists...)
	slices.Sort(all)
	return slices.Compact(all)
}
