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

// signIn accepts any name without a password. It renews the token.
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
