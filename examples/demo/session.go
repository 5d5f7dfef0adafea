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

// requestIDHeader holds the request's id. The page after the request uses it to show the result.
const requestIDHeader = "X-Request-Id"

const (
	maxKey   = 40  // characters
	maxValue = 400 // characters
	maxKeys  = 60  // in one session
	maxBody  = 64 << 10
)

// reserved is the prefix of keys that the page does not show: userKey, and what SignIn notes.
const (
	reserved = "__"
	userKey  = reserved + "user" // Options.UserKey
)

// app has the code of the handlers that is the same in every framework. Only the access to the
// context, the form and the response differs.
type app struct {
	sessions *scs.SessionManager
	gates    *gates
}

// change is a change of the session, from a form.
type change struct {
	By    string // the name of the framework that serves the request
	Key   string
	Value string
	Gate  string // the id of the gate to wait at before the change; none if empty
}

// view is the content of a session. It holds no token.
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
		if strings.HasPrefix(key, reserved) {
			continue
		}
		stored, _ := a.sessions.Get(ctx, key).(map[string]string)
		v.Entries = append(v.Entries, entry{key, stored["value"], stored["by"]})
		if key == "user" {
			v.User = stored["value"]
		}
	}
	return v
}

// actions returns the handlers of the POST routes, by path.
func (a *app) actions() map[string]func(context.Context, change) error {
	return map[string]func(context.Context, change) error{
		"put": a.put, "remove": a.remove, "signin": a.signIn, "signout": a.signOut,
	}
}

// check returns an error if the form's key or value cannot be put into the session.
func (a *app) check(ctx context.Context, c change) error {
	key, value := strings.TrimSpace(c.Key), strings.TrimSpace(c.Value)
	switch {
	case key == "" || utf8.RuneCountInString(key) > maxKey:
		return badInput(fmt.Sprintf("A key has 1 to %d characters.", maxKey))
	case strings.HasPrefix(key, reserved):
		return badInput("A key does not begin with " + reserved + ".")
	case utf8.RuneCountInString(value) > maxValue:
		return badInput(fmt.Sprintf("A value has at most %d characters.", maxValue))
	case !a.sessions.Exists(ctx, key) && len(a.sessions.Keys(ctx)) >= maxKeys:
		return badInput(fmt.Sprintf("This demo keeps at most %d keys. Remove one first.", maxKeys))
	}
	return nil
}

func (a *app) put(ctx context.Context, c change) error {
	if err := a.check(ctx, c); err != nil {
		return err
	}
	a.set(ctx, c)
	return nil
}

// set puts the form's value into the session.
func (a *app) set(ctx context.Context, c change) {
	a.gates.wait(ctx, c.Gate)
	value := map[string]string{"value": strings.TrimSpace(c.Value), "by": c.By}
	a.sessions.Put(ctx, strings.TrimSpace(c.Key), value)
}

func (a *app) remove(ctx context.Context, c change) error {
	a.sessions.Remove(ctx, c.Key)
	return nil
}

// signIn accepts any name without a password. If somebody else was signed in, SignIn ends that
// session.
func (a *app) signIn(ctx context.Context, c change) error {
	c.Key = "user"
	user := strings.TrimSpace(c.Value)
	if user == "" {
		return badInput("Please enter a name.")
	}
	if err := a.check(ctx, c); err != nil {
		return err
	}
	if err := scskit.SignIn(ctx, a.sessions, user, nil); err != nil {
		return err
	}
	a.set(ctx, c)
	return nil
}

func (a *app) signOut(ctx context.Context, _ change) error {
	return scskit.SignOut(ctx, a.sessions)
}

// badInput is an error with a text for the visitor.
type badInput string

func (e badInput) Error() string { return string(e) }

// status returns the status and the text of the response to an action's error.
func status(err error) (code int, text string) {
	if bad := badInput(""); errors.As(err, &bad) {
		return http.StatusBadRequest, bad.Error()
	}
	return http.StatusInternalServerError, "The session could not be changed."
}

// back returns the URL that an action redirects to: the page with the result of the request.
func back(requestID string) string {
	return "/?request=" + url.QueryEscape(requestID) + "#session"
}
