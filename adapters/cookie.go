package adapters

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

const (
	// maxCandidates bounds how many cookies of one name are looked up for a request.
	maxCandidates = 4

	// maxCookies bounds how many cookies of a request are looked at, of any name. net/http takes no
	// more either.
	maxCookies = 3000

	// RFC 6265bis, sections 5.5 and 5.7: what a browser accepts.
	maxCookieBytes    = 4096 // name and value
	maxAttributeBytes = 1024
	maxCookieAge      = 400 * 24 * time.Hour

	tokenBytes = 43 // scs draws 32 bytes and encodes them in base64

	// rememberMe is the session key under which scs's RememberMe keeps its answer.
	rememberMe = "__rememberMe"
)

// cookies is an iterator over the cookies in the lines of a Cookie header, maxCookies of them at
// most. Their values are as they were sent.
func cookies(lines []string) iter.Seq[sentCookie] {
	return func(yield func(sentCookie) bool) {
		seen := 0
		for _, line := range lines {
			for line != "" {
				if seen++; seen > maxCookies {
					return
				}
				var part string
				part, line, _ = strings.Cut(line, ";")
				name, value, _ := strings.Cut(textproto.TrimString(part), "=")
				if !yield(sentCookie{textproto.TrimString(name), value}) {
					return
				}
			}
		}
	}
}

type sentCookie struct{ name, value string }

// candidates puts the distinct values of the cookies called name into dst, in the order of the
// header lines, and returns how many there are, and whether there may be more. It takes what
// net/http takes.
func candidates(dst []string, lines []string, name string) (n int, more bool) {
	seen := 0
	for c := range cookies(lines) {
		seen++
		if c.name != name {
			continue
		}
		value, ok := cookieValue(c.value)
		if !ok || value == "" || slices.Contains(dst[:n], value) {
			continue
		}
		if n == len(dst) {
			return n, true
		}
		dst[n] = value
		n++
	}
	return n, seen == maxCookies
}

func cookieValue(s string) (string, bool) {
	if len(s) > maxCookieBytes {
		return "", false
	}
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		s = s[1 : len(s)-1]
	}
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == ';' || c == '\\' {
			return "", false
		}
	}
	return s, true
}

// sessionCookie returns the cookie for a stored session.
func sessionCookie(sm *scs.SessionManager, token string, expiry time.Time,
	persistent bool) *http.Cookie {
	c := baseCookie(sm)
	c.Value = token
	if persistent {
		// Both are rounded up to the second, as scs does. The record ends the session
		// exactly; a cookie must only not go before it.
		age := min(time.Until(expiry), maxCookieAge-time.Second)
		c.MaxAge = int(age/time.Second) + 1
		c.Expires = time.Now().Add(age).Add(time.Second).UTC()
	}
	return c
}

// expiredCookie returns the cookie that makes a browser forget the session.
func expiredCookie(sm *scs.SessionManager) *http.Cookie {
	c := baseCookie(sm)
	c.MaxAge = -1
	c.Expires = time.Unix(1, 0).UTC()
	return c
}

func baseCookie(sm *scs.SessionManager) *http.Cookie {
	return &http.Cookie{
		Name:        sm.Cookie.Name,
		Domain:      sm.Cookie.Domain,
		Path:        sm.Cookie.Path,
		HttpOnly:    sm.Cookie.HttpOnly,
		SameSite:    sm.Cookie.SameSite,
		Secure:      sm.Cookie.Secure,
		Partitioned: sm.Cookie.Partitioned,
	}
}

// setCookie puts c in place of any cookie of its name. A response with a session cookie is
// for one user only, so that no cache may keep it.
func setCookie(h http.Header, c *http.Cookie) {
	const key = "Set-Cookie"
	if lines := h[key]; len(lines) > 0 {
		h[key] = slices.DeleteFunc(slices.Clone(lines), func(line string) bool {
			name, _, _ := strings.Cut(line, "=")
			return strings.TrimSpace(name) == c.Name
		})
	}
	h.Add(key, c.String())
	h.Set("Cache-Control", "no-store")
}

// addVary takes the memory for the header's value, if it has to set one.
func addVary(h http.Header, value *[1]string) {
	for _, line := range h["Vary"] {
		for field := range strings.SplitSeq(line, ",") {
			field = strings.TrimSpace(field)
			if field == "*" || strings.EqualFold(field, "Cookie") {
				return
			}
		}
	}
	if len(h["Vary"]) > 0 {
		h.Add("Vary", "Cookie")
		return
	}
	value[0] = "Cookie"
	h["Vary"] = value[:]
}

// validateCookie refuses cookies that browsers would refuse, or that would not mean what they say.
func validateCookie(sm *scs.SessionManager) error {
	c := sm.Cookie
	lower := strings.ToLower(c.Name) // browsers compare the prefixes in any case
	switch {
	case c.Name == "":
		return errors.New("Cookie.Name is empty")
	case len(c.Name)+tokenBytes > maxCookieBytes:
		return fmt.Errorf("Cookie.Name is %d bytes long: browsers take at most %d for name and value",
			len(c.Name), maxCookieBytes)
	case len(c.Path) > maxAttributeBytes || len(c.Domain) > maxAttributeBytes:
		return fmt.Errorf("Cookie.Path and Cookie.Domain must have at most %d bytes: browsers ignore "+
			"longer ones", maxAttributeBytes)
	case c.Path != "" && c.Path[0] != '/':
		return fmt.Errorf("Cookie.Path %q does not begin with a slash: browsers ignore it", c.Path)
	case c.SameSite == http.SameSiteNoneMode && !c.Secure:
		return errors.New("Cookie.SameSite is None, which browsers refuse unless Cookie.Secure is true")
	case c.Partitioned && !c.Secure:
		return errors.New("Cookie.Partitioned is set, which browsers refuse unless Cookie.Secure is true")
	case strings.HasPrefix(lower, "__secure-") && !c.Secure:
		return fmt.Errorf("the cookie name %q needs Cookie.Secure", c.Name)
	case strings.HasPrefix(lower, "__host-") && (!c.Secure || c.Path != "/" || c.Domain != ""):
		return fmt.Errorf("the cookie name %q needs Cookie.Secure, Cookie.Path \"/\" and no Cookie.Domain", c.Name)
	case sm.Lifetime > maxCookieAge:
		return fmt.Errorf("SessionManager.Lifetime is %v: browsers keep a cookie for at most 400 days",
			sm.Lifetime)
	}
	// The expiry is no more than a stand-in here.
	if err := sessionCookie(sm, strings.Repeat("x", tokenBytes), time.Now().Add(time.Hour),
		true).Valid(); err != nil {
		return fmt.Errorf("the session cookie is invalid: %w", err)
	}
	if c.Domain != "" && strings.ContainsAny(c.Domain, " ;,\x00") {
		return fmt.Errorf("Cookie.Domain %q is invalid", c.Domain)
	}
	return nil
}
