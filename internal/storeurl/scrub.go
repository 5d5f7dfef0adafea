package storeurl

import (
	"errors"
	"net/url"
	"strings"
)

// secretParams are the parameters whose values must not appear in errors.
var secretParams = []string{"sentinel_password", "authMechanismProperties"}

// minSecret is the length of the shortest secret that Scrub removes. A shorter one would match
// unrelated text.
const minSecret = 4

// Scrub removes secrets from the text of an error, where a client or a server may have put them.
func (l *URL) Scrub(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, secret := range append([]string{l.Password}, l.Params.secrets()...) {
		if len(secret) < minSecret {
			continue
		}
		for _, form := range []string{
			secret, url.QueryEscape(secret), url.PathEscape(secret), Escape(secret),
		} {
			text = strings.ReplaceAll(text, form, "…")
		}
	}
	if text == err.Error() {
		return err
	}
	return &scrubbed{text: text, err: err}
}

func (p Params) secrets() (values []string) {
	for _, name := range secretParams {
		values = append(values, p[name])
	}
	return values
}

// scrubbed replaces the text of an error that contained a secret. It has no Unwrap, which would
// expose the original text, but errors.Is matches what the original matches.
type scrubbed struct {
	text string
	err  error
}

func (e *scrubbed) Error() string        { return e.text }
func (e *scrubbed) Is(target error) bool { return errors.Is(e.err, target) }
