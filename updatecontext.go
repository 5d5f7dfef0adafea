package scskit

import (
	"context"
	"errors"

	"github.com/alexedwards/scs/v2"
)

type updateKey struct{}

// updateFrom returns the Update whose function runs in ctx, or nil.
func updateFrom(ctx context.Context) *update {
	u, _ := ctx.Value(updateKey{}).(*update)
	return u
}

var errInUpdate = errors.New("the function given to scskit.Update called Destroy, RenewToken, " +
	"MergeSession, Commit or Update: call them outside of it")

// refuse notes a call that fn must not make. It counts even if fn ignores its error.
func (u *update) refuse() error {
	u.refused.Store(true)
	return errInUpdate
}

// updateContext is the context of fn. It hides the request's session of the manager by another one.
type updateContext struct {
	context.Context
	u       *update
	session any
}

func (c *updateContext) Value(key any) any {
	switch key {
	case c.u.key:
		return c.session
	case updateKey{}:
		return c.u
	}
	return c.Context.Value(key)
}

// oneSession is a store with the data of one session.
type oneSession struct {
	scs.Store
	data []byte
}

func (s oneSession) Find(string) ([]byte, bool, error) { return s.data, true, nil }
