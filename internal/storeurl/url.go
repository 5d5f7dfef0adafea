package storeurl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// URL is the URL of a store, taken apart. net/url is not asked: it refuses lists of hosts with
// ports, and its errors show the URL.
type URL struct {
	Backend  *Backend
	Scheme   string
	User     string
	Password string
	HasUser  bool     // there is a user or a password
	Hosts    []string // each with a port if the URL has one
	Path     string   // decoded, without the slash before it
	Params   Params
	// Verified, if there is one, judges what a server has answered to the first load: it returns
	// the error that counts.
	Verified func(ctx context.Context, err error) error
}

// Parse takes a URL apart. Its errors show nothing that may be part of a password: of a URL with a
// mistake in it, nobody knows which part is which.
func Parse(rawURL string) (*URL, error) {
	scheme, rest, _ := strings.Cut(rawURL, ":")
	l := &URL{Scheme: strings.ToLower(scheme)}
	if l.Backend = registered(l.Scheme); l.Backend == nil {
		return nil, unknownScheme(scheme, rest)
	}
	if strings.ContainsFunc(rest, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return nil, fmt.Errorf("%s: the URL has a control character in it; is there a line break at "+
			"its end?", scheme)
	}
	var err error
	if l.Backend.Local {
		err = l.parseLocal(rest)
	} else {
		err = l.parseServer(rest)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.Scheme, err)
	}
	return l, nil
}

// instead says what to write for schemes that other programs have.
var instead = map[string]string{
	"file": "sqlite:PATH", "sqlite3": "sqlite:PATH",
	"unix": "redis:///DB?socket=PATH", "redis-socket": "redis:///DB?socket=PATH",
	"valkey": "redis://", "valkeys": "rediss://", "redis-sentinel": "redis+sentinel://",
	"pgx": "postgres://", "pgx5": "postgres://", "mariadb": "mysql://", "mongo": "mongodb://",
}

// otherNotation says what to write for names of databases that are no URLs, in the notations of
// their clients.
func otherNotation(s string) string {
	switch {
	case strings.Contains(s, "tcp(") || strings.Contains(s, "unix("): // go-sql-driver
		return "write mysql://USER:PASSWORD@HOST:PORT/DATABASE, or for a socket " +
			"mysql://USER@/DATABASE?socket=PATH"
	case strings.Contains(s, "dbname=") || strings.HasPrefix(s, "host="): // libpq
		return "write postgres://USER:PASSWORD@HOST:PORT/DATABASE"
	}
	return ""
}

func unknownScheme(scheme, rest string) error {
	if path := packageOf(strings.ToLower(scheme)); path != "" {
		return fmt.Errorf("the program links nothing that opens %s: import _ %q, or _ %q for all backends", strings.ToLower(scheme), path, all)
	}
	known := schemes()
	list := "it must begin with one of: " + strings.Join(known, ", ")
	switch {
	case scheme == "cookie" || scheme == "cookiestore":
		return errors.New("sessions in cookies need keys, which do not belong into a URL: call " +
			"cookiestore.New; a URL can begin with " + strings.Join(known, ", "))
	case instead[strings.ToLower(scheme)] != "":
		return fmt.Errorf("the scheme %s is another program's: write %s", strings.ToLower(scheme),
			instead[strings.ToLower(scheme)])
	case otherNotation(scheme+":"+rest) != "":
		return fmt.Errorf("this is no URL: %s", otherNotation(scheme+":"+rest))
	case strings.HasPrefix(rest, "//") && len(scheme) <= 20 && isWord(scheme, "+-."):
		return fmt.Errorf("the URL's scheme %q is not known: %s", scheme, list)
	}
	return errors.New("the URL has no scheme that is known: " + list)
}

// isWord reports whether s is made of ASCII letters, digits and some other characters.
func isWord(s, others string) bool {
	for _, r := range s {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9',
			strings.ContainsRune(others, r):
		default:
			return false
		}
	}
	return s != ""
}

func (l *URL) parseLocal(rest string) (err error) {
	if after, ok := strings.CutPrefix(rest, "//"); ok {
		if !strings.HasPrefix(after, "/") {
			return fmt.Errorf("two slashes begin a host, which there is not: write %s", l.Backend.Syntax)
		}
		rest = after
	}
	path, query, _ := strings.Cut(rest, "?")
	if l.Path, err = unescape(path, "path"); err != nil {
		return err
	}
	return l.parseParams(query)
}

var errEscape = errors.New("a /, ?, #, @ or : in the user name or the password must be written " +
	"with %, as %2F, %3F, %23, %40 and %3A, and an @ so everywhere but before the host")

func (l *URL) parseServer(rest string) (err error) {
	rest, ok := strings.CutPrefix(rest, "//")
	if !ok {
		return fmt.Errorf("two slashes are missing after the scheme: write %s", l.Backend.Syntax)
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	if strings.ContainsAny(tail, "@#") {
		return errEscape
	}
	tail, query, _ := strings.Cut(tail, "?")
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		l.HasUser = true
		user, password, _ := strings.Cut(authority[:at], ":")
		if l.User, err = unescape(user, "user name"); err != nil {
			return err
		}
		if l.Password, err = unescape(password, "password"); err != nil {
			return err
		}
		authority = authority[at+1:]
	}
	if other := otherNotation(authority); other != "" {
		return errors.New(other)
	}
	if strings.Contains(strings.ToUpper(authority), "%2F") && l.Backend.Socket != "" {
		return fmt.Errorf("a host has characters that none has: a socket is written %s", l.Backend.Socket)
	}
	if authority != "" {
		l.Hosts = strings.Split(authority, ",")
	}
	for _, h := range l.Hosts {
		if err := checkHost(h); err != nil {
			return err
		}
	}
	if l.Path, err = unescape(strings.TrimPrefix(tail, "/"), "path"); err != nil {
		return err
	}
	return l.parseParams(query)
}

func unescape(s, what string) (string, error) {
	text, err := url.PathUnescape(s)
	if err != nil {
		return "", fmt.Errorf("the %s has a %% without two hexadecimal digits: a %% itself is %%25", what)
	}
	if strings.ContainsRune(text, 0) {
		return "", fmt.Errorf("the %s has a zero byte", what)
	}
	return text, nil
}

func checkHost(s string) error {
	host, port := SplitHost(s)
	switch {
	case host == "":
		return errors.New("a host is missing: before the port, or between two commas")
	case strings.HasPrefix(s, "[") && (net.ParseIP(host) == nil || !strings.Contains(s, "]")),
		!strings.HasPrefix(s, "[") && !isWord(host, "-._"):
		return errors.New("a host has characters that none has: is it HOST or HOST:PORT, or " +
			"[ADDRESS]:PORT with IPv6?")
	case strings.HasSuffix(s, ":"):
		return errors.New("a port is missing after the colon")
	}
	if n, err := strconv.ParseUint(port, 10, 16); port != "" && (err != nil || n == 0) {
		return errors.New("a port is not a number from 1 to 65535; if it is part of a password, user " +
			"and password must end with @, and " + errEscape.Error())
	}
	return nil
}

// SplitHost splits host:port; port is empty without one.
func SplitHost(s string) (host, port string) {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		host, rest, _ := strings.Cut(inner, "]")
		if rest != "" && !strings.HasPrefix(rest, ":") {
			return "", ""
		}
		return host, strings.TrimPrefix(rest, ":")
	}
	host, port, _ = strings.Cut(s, ":")
	return host, port
}

// Address returns host:port of a host in the URL.
func Address(s, defaultPort string) string {
	host, port := SplitHost(s)
	if port == "" {
		port = defaultPort
	}
	return net.JoinHostPort(host, port)
}

// OneHost returns the host of a backend that has but one.
func (l *URL) OneHost() (string, error) {
	switch len(l.Hosts) {
	case 0:
		return "", l.LacksHost()
	case 1:
		return l.Hosts[0], nil
	}
	return "", fmt.Errorf("there is more than one host: write %s", l.Backend.Syntax)
}

// Lacks is the error of a URL without a part that it needs.
func (l *URL) Lacks(what string) error {
	return fmt.Errorf("the %s is missing: write %s", what, l.Backend.Syntax)
}

// LacksHost is the error of a URL without a host.
func (l *URL) LacksHost() error {
	err := l.Lacks("host")
	if l.Backend.Socket == "" {
		return err
	}
	return fmt.Errorf("%w; a socket is written %s", err, l.Backend.Socket)
}

// Params are the parameters of a URL, each known, there once, and not empty.
type Params map[string]string

func (l *URL) parseParams(query string) error {
	l.Params = Params{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok || len(name) > 50 || !isWord(name, "_-.") {
			return errors.New("after the question mark there is something else than name=value, separated " +
				"by &")
		}
		known, ok := l.Backend.known(name)
		if !ok {
			names := append([]string{"lazy"}, l.Backend.Params...)
			slices.Sort(names)
			return fmt.Errorf("the parameter %q is not known; known are %s", name, strings.Join(names, ", "))
		}
		value, err := url.QueryUnescape(value)
		if err != nil || strings.ContainsRune(value, 0) {
			return fmt.Errorf("the parameter %s has a %% without two hexadecimal digits, or a zero byte: "+
				"a %% itself is %%25", known)
		}
		if value == "" {
			return fmt.Errorf("the parameter %s has no value", known)
		}
		if _, twice := l.Params[known]; twice {
			return fmt.Errorf("the parameter %s is there twice", known)
		}
		l.Params[known] = value
	}
	return nil
}

// known returns a parameter's name as the documentation writes it.
func (b *Backend) known(name string) (string, bool) {
	if name == "lazy" {
		return name, true
	}
	i := slices.IndexFunc(b.Params,
		func(p string) bool { return p == name || b.Fold && strings.EqualFold(p, name) })
	if i < 0 {
		return "", false
	}
	return b.Params[i], true
}

// String returns a parameter, or "" if it is not there.
func (p Params) String(name string) string { return p[name] }

// Bool returns a parameter that is true or false; false if it is not there.
func (p Params) Bool(name string) (bool, error) {
	switch p[name] {
	case "", "false", "0":
		return false, nil
	case "true", "1":
		return true, nil
	}
	return false, fmt.Errorf("the parameter %s must be true or false", name)
}

// Positive returns a number, or zero if there is none.
func (p Params) Positive(name string) (int, error) {
	if p[name] == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(p[name], 10, 32)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("the parameter %s must be a number, 1 or more", name)
	}
	return int(n), nil
}

// Duration returns a parameter that is a duration above zero, or zero if it is not there.
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

// Pick returns those of the named parameters that are there.
func (p Params) Pick(names []string) url.Values {
	picked := url.Values{}
	for _, name := range names {
		if p[name] != "" {
			picked.Set(name, p[name])
		}
	}
	return picked
}

// secretParams hold what no error may show.
var secretParams = []string{"sentinel_password", "authMechanismProperties"}

// shortSecret is the length below which a text that has a secret in it cannot be told from any
// other, until it is taken out.
const shortSecret = 4

// Scrub takes secrets out of an error, should a client or a server have put them there.
func (l *URL) Scrub(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, secret := range append([]string{l.Password}, l.Params.secrets()...) {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret),
			Escape(secret)} {
			if len(secret) >= shortSecret {
				text = strings.ReplaceAll(text, form, "…")
			}
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

// scrubbed is an error whose own text had a secret in it. It matches what that one matches, but
// does not hand it out.
type scrubbed struct {
	text string
	err  error
}

func (e *scrubbed) Error() string        { return e.text }
func (e *scrubbed) Is(target error) bool { return errors.Is(e.err, target) }

// Escape leaves neither a plus sign nor a space, of which readers think differently.
func Escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
