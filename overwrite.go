package scskit

import (
	"context"
	"slices"
)

// Overwrite says that the sessions which are committed in ctx, a context with a tracker, store what
// they have under these keys, or that they have nothing there, whatever others have stored
// meanwhile. A key that the request has changed is stored in any case. This is for what it wants to
// be as it was loaded, which a store cannot tell from what it left alone: scs leaves no trace of a
// Put of an equal value.
//
//	sm.Put(ctx, "admin", false) // it was false when this request loaded the session
//	scskit.Overwrite(ctx, "admin")
//
// The handler must change the session as well, by Put or Remove, since a session that scs takes for
// unchanged is not committed. What is said holds until the end of ctx; it costs a write, and in a
// context without a tracker, where a commit overwrites everything, it does nothing.
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
