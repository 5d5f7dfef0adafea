package conformance

import (
	"strings"
)

// storeHostileChecks cover hostile tokens: any text that a cookie can hold.
var storeHostileChecks = []check{
	{"hostile/injection", LevelStore, hostileInjection,
		"SQL, NoSQL, Lua, glob patterns and CRLF in a token are data"},
	{"hostile/malformed-token", LevelStore, hostileMalformedToken,
		"scs.Store: Find returns found false and a nil error for a malformed token"},
	{"hostile/empty-token", LevelStore, hostileEmptyToken,
		"an empty token has no session; scs deletes it when a new session is destroyed"},
	{"hostile/huge-token", LevelStore, hostileHugeToken,
		"Find returns found false and a nil error for a token of 1 MB"},
}

var injections = []string{
	"' OR '1'='1", `" OR ""="`, "'; DROP TABLE sessions; --", `\'; DELETE FROM sessions; --`,
	"x') OR 1=1 --",
	`{"$ne": null}`, `{"$gt": ""}`, "[$ne]=1",
	"]] redis.call('FLUSHALL') --", "'..redis.call('FLUSHALL')..'",
	"*", "?", "[a-z]*", "%", "_%", "scskit:*", "session*", "../../etc/passwd", "../*",
	"a\r\nFLUSHALL\r\n", "\r\n\r\n", "*1\r\n$8\r\nFLUSHALL\r\n",
	"${jndi:ldap://localhost/a}", "{{7*7}}", "%00", "%s%n",
}

func hostileInjection(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	for _, v := range append(injections, "' OR '"+token+"'='"+token, token+"' --", token[:10]+"*",
		token[:10]+"%", strings.Repeat("_", len(token))) {
		t.wantNone(s, v)
		t.remove(s, v)
	}
	t.wantData(s, token, []byte("data"))
}

func hostileMalformedToken(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	for _, v := range []string{"\xff\xfe", "a\xc3", token + "\x00", "\x00", "\x00" + token,
		token + "\xed\xa0\x80", " ", "\u202e", "="} {
		t.wantNone(s, v)
		t.remove(s, v)
	}
	t.wantData(s, token, []byte("data"))
}

func hostileEmptyToken(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	t.wantNone(s, "")
	t.remove(s, "")
	t.wantData(s, token, []byte("data"))
}

func hostileHugeToken(t *checkT) {
	s := t.newStore()
	for _, v := range []string{strings.Repeat("a", 1<<20), strings.Repeat("\u00e9", 1<<19)} {
		t.wantNone(s, v)
		t.remove(s, v)
	}
}
