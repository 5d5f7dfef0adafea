package conformance

import (
	"errors"
	"time"
)

func storeExpiryMutants() []mutant {
	return []mutant{
		storeMutant("never-expires", "expiry/expired",
			"Commit ignores the expiry", func(l *fakeStore) {
				l.expiring(func(string, time.Time) time.Time { return in(lifetime) })
			}),
		storeMutant("whole-seconds", "expiry/sub-second",
			"expiries are rounded up to whole seconds", func(l *fakeStore) {
				l.expiring(func(_ string, e time.Time) time.Time {
					return e.Add(time.Second - time.Nanosecond).Truncate(time.Second)
				})
			}),
		storeMutant("past-lives-for-ever", "expiry/past",
			"a session with an expiry in the past lives for an hour", func(l *fakeStore) {
				l.expiring(func(_ string, e time.Time) time.Time {
					if time.Until(e) <= 0 {
						return in(lifetime)
					}
					return e
				})
			}),
		storeMutant("past-does-nothing", "expiry/past-overwrites",
			"Commit ignores a session with an expiry in the past", func(l *fakeStore) {
				l.commit = func(token string, data []byte, e time.Time) error {
					if time.Until(e) <= 0 {
						return nil
					}
					return l.mapStore.commit(token, data, e)
				}
			}),
		storeMutant("expiry-stays", "expiry/extend",
			"Commit moves the expiry of a live session only to an earlier one", func(l *fakeStore) {
				l.expiring(func(token string, e time.Time) time.Time {
					if b, ok := l.peek(token); ok && b.live() && time.Until(e) > 0 && e.After(b.expiry) {
						return b.expiry
					}
					return e
				})
			}),
		storeMutant("expiry-only-extends", "expiry/shorten",
			"Commit moves the expiry of a live session only to a later one", func(l *fakeStore) {
				l.expiring(func(token string, e time.Time) time.Time {
					if b, ok := l.peek(token); ok && b.live() && time.Until(e) > 0 && e.Before(b.expiry) {
						return b.expiry
					}
					return e
				})
			}),
		storeMutant("32-bit-time", "expiry/far-future",
			"expiries are stored as 32 bits of seconds", func(l *fakeStore) {
				l.expiring(func(_ string, e time.Time) time.Time {
					if e.Year() < 2038 {
						return e
					}
					return time.Unix(int64(int32(e.Unix())), 0)
				})
			}),
		storeMutant("drops-zone", "expiry/zone-west",
			"the expiry is stored without its zone, and read as UTC", func(l *fakeStore) {
				l.expiring(func(_ string, e time.Time) time.Time {
					if e.Location() == time.Local {
						return e
					}
					year, month, day := e.Date()
					return time.Date(year, month, day, e.Hour(), e.Minute(), e.Second(), e.Nanosecond(),
						time.UTC)
				})
			}),
		storeMutant("expired-in-the-way", "expiry/reuse",
			"Commit fails where an expired session is still stored", func(l *fakeStore) {
				l.commit = func(token string, data []byte, e time.Time) error {
					if b, ok := l.peek(token); ok && !b.live() {
						return errors.New("duplicate key")
					}
					return l.mapStore.commit(token, data, e)
				}
			}),
	}
}
