package adapters

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A store may keep the session in the cookie itself, where it can be longer than browsers take. It
// is then split. The cookie NAME holds the number of parts, a dot and the first part. NAME.1 and so
// on hold the others, each after the first bytes of the value, which tell whose part it is. A value
// that lacks a part is worthless. Cookies that belong to no value are left over: they are ignored,
// and expire when the session cookie is next set.

const (
	// maxChunks bounds how many cookies one value is put together from.
	maxChunks = 16

	// chunkTag is how many bytes of the value begin each further part: more than chance repeats.
	chunkTag = 8

	// maxParts bounds how many further parts of a request are looked at.
	maxParts = maxCandidates * maxChunks
)

// chunkRoom is how many bytes of a part fit into a cookie of this name, with what it says of
// its place.
func chunkRoom(name string) int { return maxCookieBytes - len(name) - len(".15") - chunkTag }

// splitValue returns the values of the cookies that hold value.
func splitValue(value, name string) []string {
	room := chunkRoom(name)
	if len(value) <= room {
		return []string{value}
	}
	count := (len(value) + room - 1) / room
	tag := value[:chunkTag]
	parts := []string{strconv.Itoa(count) + "." + value[:room]}
	for rest := value[room:]; rest != ""; {
		n := min(room, len(rest))
		parts = append(parts, tag+rest[:n])
		rest = rest[n:]
	}
	return parts
}

// joinValue returns the value that begins with first. ok is false if a part is missing.
func joinValue(first string, parts []part) (value string, ok bool) {
	count, rest, split := strings.Cut(first, ".")
	if !split {
		return first, true
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 2 || n > maxChunks || strconv.Itoa(n) != count || len(rest) < chunkTag {
		return "", false
	}
	tag := rest[:chunkTag]
	var b strings.Builder
	b.WriteString(rest)
	for i := 1; i < n; i++ {
		at := slices.IndexFunc(parts, func(p part) bool {
			return p.place == i && strings.HasPrefix(p.value, tag)
		})
		if at < 0 {
			return "", false
		}
		b.WriteString(parts[at].value[chunkTag:])
	}
	return b.String(), true
}

func chunkName(name string, i int) string { return name + "." + strconv.Itoa(i) }

// part is a further part of a value, or what is called like one.
type part struct {
	place int
	value string
}

// partsOf returns the further parts in the lines of a Cookie header.
func partsOf(lines []string, name string) (parts []part) {
	for c := range cookies(lines) {
		suffix, ok := strings.CutPrefix(c.name, name+".")
		if !ok {
			continue
		}
		place, err := strconv.Atoi(suffix)
		if err != nil || place < 1 || place >= maxChunks || strconv.Itoa(place) != suffix {
			continue
		}
		value, ok := cookieValue(c.value)
		if p := (part{place, value}); ok && !slices.Contains(parts, p) {
			parts = append(parts, p)
		}
		if len(parts) == maxParts {
			break
		}
	}
	return parts
}

// join puts together the tokens that came in parts, and drops those that cannot be.
func (r *Request) join(lines []string) {
	r.incomplete = r.ntokens > 0
	parts := partsOf(lines, r.l.sm.Cookie.Name)
	for _, p := range parts {
		r.chunks |= 1 << p.place
	}
	n := 0
	for _, first := range r.tokens[:r.ntokens] {
		if value, ok := joinValue(first, parts); ok {
			r.tokens[n] = value
			n++
		}
	}
	r.ntokens = n
	if n > 1 {
		r.newestFirst()
	}
}

// newestFirst sorts the tokens by when their sessions were saved. A session that travels in the
// cookie cannot be revoked: an older one, that another site of the domain may have set, stays
// valid beside the one that a sign-in has begun.
func (r *Request) newestFirst() {
	type saved struct {
		token string
		at    time.Time
	}
	var all [maxCandidates]saved
	sorted := all[:r.ntokens]
	for i, token := range r.tokens[:r.ntokens] {
		sorted[i] = saved{token, r.l.carrier.SavedAt(token)}
	}
	slices.SortStableFunc(sorted, func(a, b saved) int { return b.at.Compare(a.at) })
	for i, s := range sorted {
		r.tokens[i] = s.token
	}
}

// setCookie sets the session cookie: in parts, if it is long, and without those of the
// request that it does not need any more.
func (r *Request) setCookie(h http.Header, c *http.Cookie) {
	if r.l.carrier == nil {
		setCookie(h, c)
		return
	}
	name := c.Name
	parts := splitValue(c.Value, name)
	for i, part := range parts {
		next := *c
		next.Value = part
		if i > 0 {
			next.Name = chunkName(name, i)
		}
		setCookie(h, &next)
	}
	for i := len(parts); i < maxChunks; i++ {
		if r.chunks&(1<<i) != 0 {
			left := expiredCookie(r.l.sm)
			left.Name = chunkName(name, i)
			setCookie(h, left)
		}
	}
}
