package conformance

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

func portableExpiryMutants() []mutant {
	return []mutant{
		portableMutant("correct", "", "",
			change{driver: func(*patch) {}, portable: func(*fakePortable) {}}),
		portableMutant("delete-takes-no-keys", "all/iterate-destroy",
			"Delete ignores the keys of All", change{portable: func(k *fakePortable) {
				k.delete = func(ctx context.Context, token string) error {
					if strings.HasPrefix(token, "id.") {
						return nil
					}
					return k.Store.DeleteCtx(ctx, token)
				}
			}}),
		portableMutant("commit-takes-no-keys", "all/iterate-commit",
			"Commit takes the keys of All for tokens", change{portable: func(k *fakePortable) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					return k.Store.CommitCtx(ctx, strings.Replace(token, "id.", "id:", 1), data, e)
				}
			}}),
		portableMutant("keys-create", "all/key-never-creates",
			"Commit under a key of All creates the session again", change{portable: func(k *fakePortable) {
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
		portableMutant("past-lives-on", "expiry/tracked-past",
			"a commit with an expiry in the past stores the session for an hour",
			change{portable: func(k *fakePortable) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					if expired(e) {
						e = in(lifetime)
					}
					return k.Store.CommitCtx(ctx, token, data, e)
				}
			}}),
		portableMutant("outlives-deadline", "expiry/absolute",
			"records expire a minute late", change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					rec.Expiry = rec.Expiry.Add(time.Minute)
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
		portableMutant("touches-always", "expiry/touch-throttled",
			"every read writes the expiry",
			change{options: func(o *scskit.Options) { o.TouchInterval = -1 }}),
		portableMutant("touches-never", "expiry/touch-never-early",
			"a read never writes the expiry", change{driver: func(p *patch) {
				p.touch = func(context.Context, driver.Record) error { return nil }
			}}),
		portableMutant("expiry-only-grows", "expiry/deadline-moved",
			"a save moves the expiry only to a later one", change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if old, err := p.Driver.Load(ctx, rec.ID); err == nil && old.Expiry.After(rec.Expiry) {
						rec.Expiry = old.Expiry
					}
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
	}
}
