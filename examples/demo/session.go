package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
)

// requestIDHeader names a request, so that the page which follows it can show what it did.
const requestIDHeader = "X-Request-Id"

const (
	maxKey   = 40  // characters
	maxValue = 400 // characters
	maxKeys  = 60  // of one session
	maxBody  = 64 << 10
)

// app is what the handlers do with the session. It is the same in every framework; all that
// differs there is where the context, the form and the response are.
type app struct {
	sessions *scs.SessionManager
	gates    *gates
}

// change is what a form asks for.
type change struct {
	By    string // the framework that it came to
	Key   string
	Value string
	Gate  string // where to wait between loading the session and changing it; none if empty
}

// view is a session as one framework sees it. It holds no token.
type view struct {
	Live     bool
	ID       string // the SHA-256 of the token
	User     string
	Deadline time.Time
	Entries  []entry
}

// entry is one key of a session.
type entry struct{ Key, Value, By string }

// view returns the session in ctx.
func (a *app) view(ctx context.Context) view {
	var v view
	token := a.sessions.Token(ctx)
	if token == "" {
		return v
	}
	v.Live, v.ID, v.Deadline = true, scskit.HashToken(token), a.sessions.Deadline(ctx)
	for _, key := range a.sessions.Keys(ctx) {
		stored, _ := a.sessions.Get(ctx, key).(map[string]string)
		v.Entries = append(v.Entries, entry{key, stored["value"], stored["by"]})
		if key == "user" {
			v.User = stored["value"]
		}
	}
	return v
}

// actions are the routes that change the session: POST only.
func (a *app) actions() map[string]func(context.Context, change) error {
	return map[string]func(context.Context, change) error{
		"put": a.put, "remove": a.remove, "signin": a.signIn, "signout": a.signOut,
	}
}

func (a *app) put(ctx context.Context, c change) error {
	key, value := strings.TrimSpace(c.Key), strings.TrimSpace(c.Value)
	switch {
	case key == "" || utf8.RuneCountInString(key) > maxKey:
		return badInput(fmt.Sprintf("A key has 1 to %d characters.", maxKey))
	case utf8.RuneCountInString(value) > maxValue:
		return badInput(fmt.Sprintf("A value has at most %d characters.", maxValue))
	case !a.sessions.Exists(ctx, key) && len(a.sessions.Keys(ctx)) >= maxKeys:
		return badInput(fmt.Sprintf("This demo keeps at most %d keys. Remove one first.", maxKeys))
	}
	a.gates.wait(ctx, c.Gate)
	a.sessions.Put(ctx, key, map[string]string{"value": value, "by": c.By})
	return nil
}

func (a *app) remove(ctx context.Context, c change) error {
	a.sessions.Remove(ctx, c.Key)
	return nil
}

// signIn takes any name: it is about the session. The token changes with the sign-in.
func (a *app) signIn(ctx context.Context, c change) error {
	c.Key = "user"
	if strings.TrimSpace(c.Value) == "" {
		return badInput("Please enter a name.")
	}
	if err := a.put(ctx, c); err != nil {
		return err
	}
	return a.sessions.RenewToken(ctx)
}

func (a *app) signOut(ctx context.Context, _ change) error {
	return a.sessions.Destroy(ctx)
}

// badInput is an error to show to the visitor.
type badInput string

func (e badInput) Error() string { return string(e) }

// status returns the status and the text to answer an action's error with.
func status(err error) (code int, text string) {
	if bad := badInput(""); errors.As(err, &bad) {
		return http.StatusBadRequest, bad.Error()
	}
	return http.StatusInternalServerError, "The session could not be changed."
}

// back is where an action leads: to the page, which shows what became of the request.
func back(requestID string) string {
	return "/?request=" + url.QueryEscape(requestID) + "#session"
}
