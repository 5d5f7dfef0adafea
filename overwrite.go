package scskit

import (
	"context"
	"slices"
)

// Overwrite makes commits in ctx store the session's values of these keys, even if the request has
// not changed them and another request has. If the session has no value under a key, the commit
// removes the stored one. Use it for a value that must stay as it was loaded. The store cannot
// detect this, since a Put of an equal value looks like no change.
//
//	sm.Put(ctx, "admin", false) // it was false when this request loaded the session
//	scskit.Overwrite(ctx, "admin")
//
// The handler must also change the session with Put or Remove, since scs does not commit an
// unmodified session. Overwrite applies to all later commits in ctx, and makes them write. In a
// context without a tracker it does nothing, since a commit there overwrites everything.
func Overwrite(ctx context.Context, keys ...string) {
	t := trackerFrom(ctx)
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.overwrites = append(slices.Clip(t.overwrites), keys...)
}

func (t *tracker) overwritten() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.overwrites
}
