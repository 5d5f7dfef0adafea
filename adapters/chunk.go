package adapters

import (
	"net/http"
	"strconv"
	"strings"
)

// A store may keep the session in the cookie itself, where it can be longer than browsers take. It is then
// split: the cookie NAME holds the number of parts, a dot and the first part; NAME.1 and
// so on hold the others. A part that is missing or left over makes the whole worthless.

// maxChunks bounds how many cookies one value is put together from.
const maxChunks = 16

// chunkRoom is how many bytes of a part fit into a cookie of this name, with what it says of
// its place.
func chunkRoom(name string) int { return maxCookieBytes - len(name) - len(".15") - len("16.") }

// splitValue returns the values of the cookies that hold value.
func splitValue(value, name string) []string {
	room := chunkRoom(name)
	if len(value) <= room {
		return []string{value}
	}
	var parts []string
	for len(value) > room {
		parts = append(parts, value[:room])
		value = value[room:]
	}
	parts = append(parts, value)
	parts[0] = strconv.Itoa(len(parts)) + "." + parts[0]
	return parts
}

// joinValue returns the value whose first part is first. ok is false if one is missing or left over.
func joinValue(first string, lines []string, name string) (value string, ok bool) {
	count, rest, split := strings.Cut(first, ".")
	if !split {
		_, extra := findCookie(lines, chunkName(name, 1))
		return first, !extra
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 2 || n > maxChunks || strconv.Itoa(n) != count {
		return "", false
	}
	var b strings.Builder
	b.WriteString(rest)
	for i := 1; i < n; i++ {
		part, found := findCookie(lines, chunkName(name, i))
		if !found {
			return "", false
		}
		b.WriteString(part)
	}
	_, extra := findCookie(lines, chunkName(name, n))
	return b.String(), !extra
}

func chunkName(name string, i int) string { return name + "." + strconv.Itoa(i) }

func findCookie(lines []string, name string) (value string, found bool) {
	var one [1]string
	n, _ := candidates(one[:], lines, name)
	return one[0], n > 0
}

// join puts together the tokens that came in parts, and drops those that cannot be.
func (r *Request) join(lines []string) {
	name := r.l.sm.Cookie.Name
	r.incomplete = r.ntokens > 0
	n := 0
	for _, first := range r.tokens[:r.ntokens] {
		if value, ok := joinValue(first, lines, name); ok {
			r.tokens[n] = value
			n++
		}
	}
	r.ntokens = n
	for i := 1; i < maxChunks; i++ {
		if _, found := findCookie(lines, chunkName(name, i)); found {
			r.chunks |= 1 << i
		}
	}
}

// setCookie sets the session cookie: in parts, if it is long, and without those of the
// request that it does not need any more.
func (r *Request) setCookie(h http.Header, c *http.Cookie) {
	if !r.l.carried {
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
