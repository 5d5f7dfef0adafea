package adapters

import (
	"iter"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"time"

	"github.com/alexedwards/scs/v2"
)

const (
	// maxCandidates limits the number of session cookies in a request that are tried.
	maxCandidates = 4

	// maxCookies limits the number of cookies in a request that are read, as in net/http.
	maxCookies = 3000

	// The limits of browsers: RFC 6265bis, sections 5.5 and 5.7.
	maxCookieBytes    = 4096 // name and value
	maxAttributeBytes = 1024
	maxCookieAge      = 400 * 24 * time.Hour

	tokenBytes = 43 // scs encodes 32 random bytes in base64

	// rememberMe is the session key that SessionManager.RememberMe sets.
	rememberMe = "__rememberMe"
)

// cookies iterates over the cookies in the lines of a Cookie header, at most maxCookies of them. It
// does not decode their values.
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

// candidates stores the distinct values of the cookies called name in dst, in the order of the
// header. It accepts the values that net/http accepts, of at most limit bytes. It returns how many
// it stored, and whether there may be more. sent reports whether there was a value, possibly a
// longer one.
func candidates(
	dst []string, lines []string, name string, limit int,
) (n int, more, sent bool) {
	seen := 0
	for c := range cookies(lines) {
		seen++
		if c.name != name {
			continue
		}
		value, ok := cookieValue(c.value)
		if !ok || value == "" {
			continue
		}
		sent = true
		if len(value) > limit || slices.Contains(dst[:n], value) {
			continue
		}
		if n == len(dst) {
			return n, true, true
		}
		dst[n] = value
		n++
	}
	return n, seen == maxCookies, sent
}

// cookieValue returns the value without quotes. ok is false if the value is invalid or too long.
func cookieValue(s string) (value string, ok bool) {
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

// sessionCookie returns the cookie for a stored session. It changes base, which has the attributes.
func sessionCookie(
	base *http.Cookie, token string, expiry time.Time, persistent bool,
) *http.Cookie {
	c := base
	c.Value = token
	if persistent {
		// Round up to the second, as scs does: the cookie must not expire before the record, which
		// ends the session exactly.
		age := min(time.Until(expiry), maxCookieAge-time.Second)
		c.MaxAge = int(age/time.Second) + 1
		c.Expires = time.Now().Add(age).Add(time.Second).UTC()
	}
	return c
}

// expiredCookie returns the cookie that makes a browser delete its session cookie. It changes base,
// which has the attributes.
func expiredCookie(base *http.Cookie) *http.Cookie {
	c := base
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

// setCookie sets c, and replaces any Set-Cookie line of the same name. It forbids caching, since a
// response with a session cookie is for one user.
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

// addVary adds the request headers of the transports to the Vary header. It uses r.vary as the
// header's slice if there is no Vary header yet, to save an allocation.
func (r *Request) addVary(h http.Header) {
	if len(h["Vary"]) == 0 {
		r.vary[0] = r.l.varyLine
		h["Vary"] = r.vary[:]
		return
	}
	for _, name := range r.l.vary {
		if !varies(h["Vary"], name) {
			h.Add("Vary", name)
		}
	}
}

// varies reports whether the lines of a Vary header cover the header name.
func varies(lines []string, name string) bool {
	for _, line := range lines {
		for field := range strings.SplitSeq(line, ",") {
			field = strings.TrimSpace(field)
			if field == "*" || strings.EqualFold(field, name) {
				return true
			}
		}
	}
	return false
}
