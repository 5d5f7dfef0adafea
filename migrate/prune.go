package migrate

import (
	"context"
	"errors"
	"fmt"

	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/records"
)

// pruneChunk is how many ids prune holds in memory if the source cannot be asked for them.
const pruneChunk = 100_000

// prune removes from the target what the source does not have, if it was last saved before the copy
// began.
func (c *copier) prune(ctx context.Context) error {
	if c.report.Listed == 0 {
		return errors.New("prune: the source has no record: nothing was removed")
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if c.from.Plain() && !c.to.Plain() {
		return c.pruneHashed(ctx)
	}
	return each(ctx, c.opts.Concurrency, c.prunable(ctx), func(rec driver.Record) {
		_, _, err := c.from.Load(ctx, rec.ID)
		if errors.Is(err, driver.ErrNotFound) {
			err = c.remove(ctx, rec.ID, rec.Version)
		}
		if err != nil && !isUnreadable(err) {
			cancel(fmt.Errorf("prune: %w", err))
		}
	})
}

// prunable yields the records of the target that the copy has not made and that are no locks.
func (c *copier) prunable(ctx context.Context) func(yield func(driver.Record, error) bool) {
	return func(yield func(driver.Record, error) bool) {
		for rec, err := range c.to.Range(ctx) {
			if err != nil {
				yield(rec, fmt.Errorf("prune: list the target: %w", redact(err, rec.ID)))
				return
			}
			if kind, _ := c.to.Open(&rec); kind == records.Lock || !rec.Updated.Before(c.now) {
				continue
			}
			if err := c.limit.wait(ctx); err != nil {
				yield(rec, err)
				return
			}
			rec.Data = nil
			if !yield(rec, nil) {
				return
			}
		}
	}
}

// pruneHashed is prune for a source whose ids are tokens: it cannot be asked for a hash, so that it
// is listed once for each chunk of the target.
func (c *copier) pruneHashed(ctx context.Context) error {
	chunk := make(map[string]int64)
	flush := func() error {
		for rec, err := range c.from.Range(ctx) {
			if err != nil {
				return fmt.Errorf("prune: list the source: %w", redact(err, rec.ID))
			}
			delete(chunk, c.from.Public(rec.ID))
		}
		for id, version := range chunk {
			if err := c.remove(ctx, id, version); err != nil {
				return fmt.Errorf("prune: %w", err)
			}
		}
		clear(chunk)
		return nil
	}
	for rec, err := range c.prunable(ctx) {
		if err != nil {
			return err
		}
		if chunk[rec.ID] = rec.Version; len(chunk) == pruneChunk {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if len(chunk) == 0 {
		return nil
	}
	return flush()
}

// remove removes a record from the target if it is still at the version.
func (c *copier) remove(ctx context.Context, id string, version int64) error {
	if !c.opts.DryRun {
		if err := c.to.Delete(ctx, id, driver.IfVersion(version)); err != nil && !lostRace(err) {
			return err
		} else if err != nil {
			return nil
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.report.Pruned++
	return nil
}
