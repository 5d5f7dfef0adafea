package conformance

import (
	"errors"
	"time"
)

func storeExpiryMutants() []mutant {
	return []mutant{
		storeMutant("never-expires", `
			all/live-only expiry/expired expiry/past expiry/past-overwrites expiry/reuse expiry/shorten
			expiry/sub-second expiry/zone-east`, func(l *library) {
			l.expiring(func(string, time.Time) time.Time { return in(lifetime) })
		}),
		storeMutant("whole-seconds", `expiry/sub-second ~expiry/past`, func(l *library) {
			l.expiring(func(_ string, e time.Time) time.Time {
				return e.Add(time.Second - time.Nanosecond).Truncate(time.Second)
			})
		}),
		storeMutant("past-lives-for-ever", `expiry/past expiry/past-overwrites`, func(l *library) {
			l.expiring(func(_ string, e time.Time) time.Time {
				if time.Until(e) <= 0 {
					return in(lifetime)
				}
				return e
			})
		}),
		storeMutant("past-does-nothing", `expiry/past-overwrites`, func(l *library) {
			l.commit = func(token string, data []byte, e time.Time) error {
				if time.Until(e) <= 0 {
					return nil
				}
				return l.shelf.commit(token, data, e)
			}
		}),
		storeMutant("expiry-stays", `expiry/extend`, func(l *library) {
			l.expiring(func(token string, e time.Time) time.Time {
				if b, ok := l.peek(token); ok && b.live() && time.Until(e) > 0 && e.After(b.expiry) {
					return b.expiry
				}
				return e
			})
		}),
		storeMutant("expiry-only-extends", `expiry/shorten`, func(l *library) {
			l.expiring(func(token string, e time.Time) time.Time {
				if b, ok := l.peek(token); ok && b.live() && time.Until(e) > 0 && e.Before(b.expiry) {
					return b.expiry
				}
				return e
			})
		}),
		storeMutant("32-bit-time", `expiry/far-future`, func(l *library) {
			l.expiring(func(_ string, e time.Time) time.Time {
				if e.Year() < 2038 {
					return e
				}
				return time.Unix(int64(int32(e.Unix())), 0)
			})
		}),
		storeMutant("drops-zone", `expiry/zone-east expiry/zone-west`, func(l *library) {
			l.expiring(func(_ string, e time.Time) time.Time {
				if e.Location() == time.Local {
					return e
				}
				return time.Date(e.Year(), e.Month(), e.Day(), e.Hour(), e.Minute(), e.Second(), e.Nanosecond(),
					time.UTC)
			})
		}),
		storeMutant("expired-in-the-way", `expiry/reuse`, func(l *library) {
			l.commit = func(token string, data []byte, e time.Time) error {
				if b, ok := l.peek(token); ok && !b.live() {
					return errors.New("duplicate key")
				}
				return l.shelf.commit(token, data, e)
			}
		}),
	}
}
