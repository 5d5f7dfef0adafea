package storeurl

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Params maps the names of a URL's parameters to their values, which are not empty.
type Params map[string]string

func (l *URL) parseParams(query string) error {
	l.Params = Params{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok || len(name) > 50 || !isWord(name, "_-.") {
			return errors.New("write parameters as NAME=VALUE, with & between them")
		}
		known, ok := l.Backend.known(name)
		if !ok {
			names := append([]string{"lazy"}, l.Backend.Params...)
			slices.Sort(names)
			return fmt.Errorf("unknown parameter %q: use one of: %s", name, strings.Join(names, ", "))
		}
		value, err := url.QueryUnescape(value)
		if err != nil || strings.ContainsRune(value, 0) {
			return fmt.Errorf("the parameter %s has a zero byte, or a %% without two hexadecimal digits: "+
				"write %%25 for a %%", known)
		}
		if value == "" {
			return fmt.Errorf("the parameter %s has no value", known)
		}
		if _, twice := l.Params[known]; twice {
			return fmt.Errorf("the parameter %s appears twice", known)
		}
		l.Params[known] = value
	}
	return nil
}

// known returns the documented spelling of a parameter's name.
func (b *Backend) known(name string) (string, bool) {
	if name == "lazy" {
		return name, true
	}
	i := slices.IndexFunc(b.Params, func(p string) bool {
		return p == name || b.Fold && strings.EqualFold(p, name)
	})
	if i < 0 {
		return "", false
	}
	return b.Params[i], true
}

// String returns a parameter, or "" if it is not set.
func (p Params) String(name string) string { return p[name] }

// Bool returns a parameter that is true or false. It returns false if the parameter is not set.
func (p Params) Bool(name string) (bool, error) {
	switch p[name] {
	case "", "false", "0":
		return false, nil
	case "true", "1":
		return true, nil
	}
	return false, fmt.Errorf("the parameter %s must be true or false", name)
}

// Positive returns a parameter that is a number above zero, or zero if it is not set.
func (p Params) Positive(name string) (int, error) {
	if p[name] == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(p[name], 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("the parameter %s must be a number of 1 or more", name)
	}
	return int(n), nil
}

// Duration returns a parameter that is a duration above zero, or zero if it is not set.
func (p Params) Duration(name string) (time.Duration, error) {
	if p[name] == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(p[name])
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("the parameter %s must be a duration, such as 90s or 1h", name)
	}
	return d, nil
}

// Pick returns the named parameters that are set.
func (p Params) Pick(names []string) url.Values {
	picked := url.Values{}
	for _, name := range names {
		if p[name] != "" {
			picked.Set(name, p[name])
		}
	}
	return picked
}
