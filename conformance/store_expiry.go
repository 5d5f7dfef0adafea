package conformance

import (
	"time"
)

// storeExpiryChecks cover the expiry that scs passes to Commit. The clock of the backend decides,
// so these checks wait for it.
var storeExpiryChecks = []check{
	{"expiry/expired", LevelStore, expiryExpired,
		"scs.Store: Find does not find an expired session, whether or not a cleanup has run"},
	{"expiry/sub-second", LevelStore, expirySubSecond,
		"a session expires at its expiry, not at the full second before or after it"},
	{"expiry/past", LevelStore, expiryPast,
		"an expiry in the past stores no session that is found or lives for ever (a " +
			"Redis SET with a negative TTL does)"},
	{"expiry/past-overwrites", LevelStore, expiryPastOverwrites,
		"an expiry in the past ends the existing session"},
	{"expiry/extend", LevelStore, expiryExtend,
		"scs.Store: Commit overwrites the expiry of an existing token, so that an idle timeout slides"},
	{"expiry/shorten", LevelStore, expiryShorten,
		"scs.Store: Commit overwrites the expiry of an existing token with an earlier one, too"},
	{"expiry/far-future", LevelStore, expiryFarFuture,
		"dates after 2038 and 2100 are stored like any other"},
	{"expiry/zone-west", LevelStore, expiryZoneWest,
		"an expiry is a moment, whatever its time zone: a session does not end early"},
	{"expiry/zone-east", LevelStore, expiryZoneEast,
		"an expiry is a moment, whatever its time zone: a session does not end late"},
	{"expiry/reuse", LevelStore, expiryReuse,
		"Commit stores a session under a token whose session has expired, " +
			"whether or not a cleanup has run"},
}

func expiryExpired(t *checkT) {
	s := t.newStore()
	token := newToken()
	expiry := in(t.short())
	t.commit(s, token, []byte("data"), expiry)
	if t.gone(s, token) && time.Now().Before(expiry) {
		t.Fatal("find: the session is not found before its expiry")
	}
	t.until(expiry.Add(2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, token) })
	t.wantNone(s, token)
	t.remove(s, token)
}

func expirySubSecond(t *checkT) {
	s := t.newStore()
	second := in(1100 * time.Millisecond).Truncate(time.Second)
	early, late := newToken(), newToken()
	t.commit(s, early, []byte("data"), second.Add(100*time.Millisecond))
	t.commit(s, late, []byte("data"), second.Add(900*time.Millisecond))
	t.pause(time.Until(second.Add(50 * time.Millisecond)))
	if t.gone(s, late) && time.Now().Before(second.Add(900*time.Millisecond)) {
		t.Fatal("find: the session ended at the full second before its expiry")
	}
	t.until(second.Add(100*time.Millisecond+patience), "an expired session is not found",
		func() bool { return t.gone(s, early) })
}

func expiryPast(t *checkT) {
	s := t.newStore()
	for _, ago := range []time.Duration{2 * time.Second, time.Hour, 30 * 365 * 24 * time.Hour} {
		token := newToken()
		// Commit may return an error: only what Find returns afterwards counts.
		_ = commitCtx(t.Context(), s, token, []byte("data"), in(-ago))
		t.wantNone(s, token)
	}
}

func expiryPastOverwrites(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	t.commit(s, token, []byte("data"), in(-time.Minute))
	t.wantNone(s, token)
}

func expiryExtend(t *checkT) {
	s := t.newStore()
	token := newToken()
	first := in(2 * t.short())
	t.commit(s, token, []byte("data"), first)
	t.commit(s, token, []byte("data"), in(lifetime))
	t.pause(time.Until(first.Add(patience / 5)))
	t.wantData(s, token, []byte("data"))
}

func expiryShorten(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	second := in(t.short())
	t.commit(s, token, []byte("data"), second)
	t.until(second.Add(2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, token) })
}

func expiryFarFuture(t *checkT) {
	s := t.newStore()
	for _, year := range []int{2039, 2107, 2200} {
		token := newToken()
		t.commit(s, token, []byte("data"), time.Date(year, 2, 28, 23, 59, 59, 0, time.UTC))
		t.wantData(s, token, []byte("data"))
	}
}

func expiryZoneWest(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime).In(time.FixedZone("west", -11*60*60)))
	t.wantData(s, token, []byte("data"))
}

func expiryZoneEast(t *checkT) {
	s := t.newStore()
	token := newToken()
	expiry := in(t.short())
	t.commit(s, token, []byte("data"), expiry.In(time.FixedZone("east", 13*60*60)))
	t.until(expiry.Add(2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, token) })
}

func expiryReuse(t *checkT) {
	s := t.newStore()
	token := newToken()
	expiry := in(t.short())
	t.commit(s, token, []byte("before"), expiry)
	t.until(expiry.Add(2*time.Second), "an expired session is not found",
		func() bool { return t.gone(s, token) })
	t.commit(s, token, []byte("after"), in(lifetime))
	t.wantData(s, token, []byte("after"))
}
