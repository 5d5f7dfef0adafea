package adapters

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A store can keep the session in the cookie. If the value is longer than browsers accept, it is
// split into chunks:
//
//   - The cookie NAME holds the number of chunks, a dot and the first chunk.
//   - The cookies NAME.1, NAME.2 and so on hold the other chunks. Each begins with the first bytes
//     of the whole value, which identify the value that the chunk belongs to.
//
// A value with a missing chunk is dropped. Chunks of no value are ignored, and expired when the
// session cookie is next set.

const (
	// maxChunks limits the number of cookies that form one value.
	maxChunks = 16

	// chunkTag is the number of bytes of the value that begin each further chunk. Values are
	// unlikely to have that many bytes in common by chance.
	chunkTag = 8

	// maxParts limits the number of further chunks that are read from one request.
	maxParts = maxCandidates * maxChunks
)

// chunkSize returns the number of bytes of the value that fit into one cookie of the name, beside
// the chunk's number and tag.
func chunkSize(name string) int { return maxCookieBytes - len(name) - len(".15") - chunkTag }

// splitValue returns the chunks of value: the values of the cookies that hold it.
func splitValue(value, name string) []string {
	size := chunkSize(name)
	if len(value) <= size {
		return []string{value}
	}
	count := (len(value) + size - 1) / size
	tag := value[:chunkTag]
	parts := []string{strconv.Itoa(count) + "." + value[:size]}
	for rest := value[size:]; rest != ""; {
		n := min(size, len(rest))
		parts = append(parts, tag+rest[:n])
		rest = rest[n:]
	}
	return parts
}

// joinValue returns the whole value whose first chunk is first. ok is false if a chunk is missing
// or first is malformed.
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

// part is a cookie that has the name of a further chunk.
type part struct {
	place int // the number in its name
	value string
}

// partsOf returns the further chunks in the lines of a Cookie header.
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

// joinChunks joins the tokens that were split, and drops those that lack a chunk.
func (r *Request) joinChunks(lines []string) {
	parts := partsOf(lines, r.l.sm.Cookie.Name)
	for _, p := range parts {
		r.chunks |= 1 << p.place
	}
	n := uint8(0)
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

// newestFirst sorts the tokens by the time their sessions were saved, newest first. A session in
// the cookie cannot be revoked: an older one, which another site of the domain may have set, stays
// valid beside the one that a sign-in created.
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

// setCookie sets the session cookie, in chunks if it is long. It expires the chunks of the request
// that the new value does not replace.
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
			unused := expiredCookie(r.baseCookie())
			unused.Name = chunkName(name, i)
			setCookie(h, unused)
		}
	}
}
