package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

func kitMutants() []mutant {
	return []mutant{
		kitMutant("correct", ``, change{driver: func(*patch) {}, kit: func(*kit) {}}),
		kitMutant("delete-takes-no-keys", `all/iterate-destroy`, change{kit: func(k *kit) {
			k.delete = func(ctx context.Context, token string) error {
				if strings.HasPrefix(token, "id.") {
					return nil
				}
				return k.Store.DeleteCtx(ctx, token)
			}
		}}),
		kitMutant("commit-takes-no-keys", `
			all/iterate-commit all/iterate-overwrites-nothing all/key-never-creates`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				return k.Store.CommitCtx(ctx, strings.Replace(token, "id.", "id:", 1), data, e)
			}
		}}),
		kitMutant("keys-create", `all/key-never-creates`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				err := k.Store.CommitCtx(ctx, token, data, e)
				if errors.Is(err, scskit.ErrGone) {
					id := strings.Split(token, ".")[1]
					return k.inner.Save(ctx, driver.Record{ID: id, Data: data, Expiry: e, Version: 1},
						driver.Always())
				}
				return err
			}
		}}),
		kitMutant("past-lives-on", `expiry/tracked-past renewal/then-destroyed`,
			change{kit: func(k *kit) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					if expired(e) {
						e = in(lifetime)
					}
					return k.Store.CommitCtx(ctx, token, data, e)
				}
			}}),
		kitMutant("outlives-deadline", `
			cleanup/only-expired cleanup/slow-batch cleanup/two-at-once concurrency/unchanged-writes-nothing
			expiry/absolute expiry/deadline-moved user/sessions-of`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				rec.Expiry = rec.Expiry.Add(time.Minute)
				return p.Driver.Save(ctx, rec, cond)
			}
		}}),
		kitMutant("touches-always", `expiry/touch-throttled`,
			change{options: func(o *scskit.Options) { o.TouchInterval = -1 }}),
		kitMutant("touches-never", `
			cleanup/moved concurrency/logout-beats-reader concurrency/renew-beats-old expiry/absolute
			expiry/idle-shortened expiry/touch-never-early faults/failed-touch`, change{driver: func(p *patch) {
			p.touch = func(context.Context, string, int64, time.Time) error { return nil }
		}}),
		kitMutant("expiry-only-grows", `expiry/deadline-moved`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if old, err := p.Driver.Load(ctx, rec.ID); err == nil && old.Expiry.After(rec.Expiry) {
					rec.Expiry = old.Expiry
				}
				return p.Driver.Save(ctx, rec, cond)
			}
		}}),
		kitMutant("touch-writes-data", `
			concurrency/logout-beats-reader concurrency/reader-keeps-writes concurrency/renew-beats-old`, change{driver: func(p *patch) {
			var saved sync.Map
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				saved.Store(rec.Version, rec)
				return p.Driver.Save(ctx, rec, cond)
			}
			p.touch = func(ctx context.Context, id string, version int64, e time.Time) error {
				if rec, ok := saved.Load(version); ok {
					rec := rec.(driver.Record)
					rec.Expiry = e
					return p.Driver.Save(ctx, rec, driver.Always())
				}
				return p.Driver.Touch(ctx, id, version, e)
			}
		}}),
		kitMutant("save-resurrects", `
			all/key-never-creates concurrency/logout-beats-writer faults/events
			renewal/after-logout renewal/fresh-after-logout renewal/merge-destroyed
			renewal/two-managers user/destroy ~user/destroy-merging user/destroy-renewing`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				err := p.Driver.Save(ctx, rec, cond)
				if _, ok := cond.Match(); ok && lostRace(err) {
					return p.Driver.Save(ctx, rec, driver.IfAbsent())
				}
				return err
			}
		}}),
		kitMutant("logout-is-final", `renewal/fresh-after-logout renewal/then-destroyed`,
			change{driver: func(p *patch) {
				var lost atomic.Bool
				p.delete = func(ctx context.Context, id string) error {
					err := p.Driver.Delete(ctx, id)
					if errors.Is(err, driver.ErrNotFound) {
						lost.Store(true)
					}
					return err
				}
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if cond.Absent() && lost.Load() {
						return driver.ErrConflict
					}
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
		kitMutant("never-gives-up", `
			all/iterate-overwrites-nothing concurrency/storm-ends`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				for {
					err := k.Store.CommitCtx(ctx, token, data, e)
					if !errors.Is(err, driver.ErrConflict) || ctx.Err() != nil {
						return err
					}
				}
			}
		}}),
		kitMutant("last-writer-wins", `
			all/iterate-overwrites-nothing concurrency/commit-twice concurrency/different-keys
			concurrency/loaded-again concurrency/loaded-twice concurrency/overwritten
			concurrency/removed-by-other concurrency/removed-by-us concurrency/renew-beats-old
			data/too-large-merged expiry/merged faults/events renewal/keeps-writes
			renewal/merge-failed user/follows-change`, change{driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				if _, ok := cond.Match(); ok {
					old, err := p.Driver.Load(ctx, rec.ID)
					if err != nil {
						return err
					}
					cond = driver.IfVersion(old.Version)
				}
				return p.Driver.Save(ctx, rec, cond)
			}
		}}),
		kitMutant("keeps-all-keys", `
			concurrency/commit-twice concurrency/loaded-again concurrency/overwritten
			concurrency/removed-by-other concurrency/removed-by-us user/follows-change`, change{kit: func(k *kit) {
			k.commit = merging(k, func(ours, stored map[string]any) { // union
				for key, v := range stored {
					if _, ok := ours[key]; !ok {
						ours[key] = v
					}
				}
			})
		}}),
		kitMutant("removal-wins", `
			concurrency/changed-and-removed concurrency/overwritten concurrency/same-key`, change{kit: func(k *kit) {
			k.commit = merging(k, func(ours, stored map[string]any) {
				for key := range ours {
					if _, ok := stored[key]; !ok && len(key) == 1 { // those that meet begins with
						delete(ours, key)
					}
				}
			})
		}}),
		kitMutant("cuts-strings", `concurrency/same-key`, eachValue(func(v any) any {
			if s, ok := v.(string); ok {
				return s[:min(len(s), 900)]
			}
			return v
		})),
		kitMutant("writes-what-is-there", `
			concurrency/unchanged-writes-nothing expiry/idle-shortened expiry/touch-throttled
			faults/failed-touch ~concurrency/same-key ~concurrency/different-keys`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				if err := k.Store.CommitCtx(ctx, token, data, e); err != nil || !tracked(ctx) {
					return err
				}
				rec, err := k.inner.Load(ctx, idOf(token))
				if err != nil {
					return nil //nolint:nilerr // it is gone, and what matters is done
				}
				return k.inner.Touch(ctx, rec.ID, rec.Version, rec.Expiry)
			}
		}}),
		kitMutant("untracked-keeps", `
			cleanup/moved concurrency/untracked-overwrites data/backend-limit data/too-large
			faults/cancelled faults/down renewal/unlisted`, change{kit: func(k *kit) {
			k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
				if _, err := k.peek(idOf(token)); err == nil && !tracked(ctx) {
					return nil
				}
				return k.Store.CommitCtx(ctx, token, data, e)
			}
		}}),
		kitMutant("decodes-in-place", `data/changed-in-place`,
			coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
				deadline, values, err := scskit.Codec{}.Decode(data)
				for key, v := range values {
					if b, ok := v.([]byte); ok && len(b) > 0 {
						i := bytes.Index(data, b)
						values[key] = data[i : i+len(b)]
					}
				}
				return deadline, values, err
			}})),
		kitMutant("last-expiry-wins", `expiry/deadline-moved expiry/merged`,
			change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if _, ok := cond.Match(); ok {
						rec.Expiry = rec.Expiry.Add(-time.Minute)
					}
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
		kitMutant("int64-is-int", `data/types`, eachValue(func(v any) any {
			if n, ok := v.(int64); ok {
				return int(n)
			}
			return v
		})),
		kitMutant("structs-are-maps", `data/registered-struct data/unknown-type data/unknown-type-legacy`,
			eachValue(func(v any) any {
				if reflect.ValueOf(v).Kind() == reflect.Struct {
					if _, ok := v.(time.Time); !ok {
						return map[string]any{"struct": fmt.Sprint(v)}
					}
				}
				return v
			})),
		kitMutant("reads-no-gob", `data/legacy-gob`,
			coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
				if _, _, err := (scs.GobCodec{}).Decode(data); err == nil {
					return time.Time{}, nil, errors.New("unknown format")
				}
				return scskit.Codec{}.Decode(data)
			}})),
	}
}
