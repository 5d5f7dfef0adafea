package conformance

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/internal/seal"
)

func portableSealedMutants() []mutant {
	keys := func(alter func(o *scskit.Options)) change {
		return change{options: func(o *scskit.Options) {
			if len(o.Keys) > 0 {
				alter(o)
			}
		}}
	}
	all := []mutant{
		portableMutant("seals-nothing", "sealed/stored",
			"Options.Keys has no effect", keys(func(o *scskit.Options) {
				o.Keys, o.Plaintext = nil, scskit.RefusePlaintext
			})),
		portableMutant("encrypts-only", "sealed/altered",
			"records are encrypted and not authenticated", sealedByDriver(
				func(data []byte, _ string) []byte { return scrambled(data) },
				func(data []byte, _ string) ([]byte, error) { return scrambled(data), nil })),
		portableMutant("binds-no-id", "sealed/copied",
			"a sealed record is not bound to its id", sealedByDriver(
				func(data []byte, _ string) []byte { return mutantSealer.SealRecord(data, "") },
				func(data []byte, _ string) ([]byte, error) {
					data, _, err := mutantSealer.OpenRecord(data, "")
					return data, err
				})),
		portableMutant("ignores-deadlines", "sealed/expiry-moved",
			"the deadline of a session counts only when it is saved", change{driver: func(p *patch) {
				p.load = func(ctx context.Context, id string) (driver.Record, error) {
					rec, err := p.Driver.Load(ctx, id)
					if deadline, values, failed := (scskit.Codec{}).Decode(rec.Data); failed == nil && err == nil {
						rec.Data, err = scskit.Codec{}.Encode(deadline.Add(time.Hour), values)
					}
					return rec, err
				}
			}}),
		portableMutant("takes-plaintext", "sealed/plaintext",
			"a record that is not sealed is accepted", keys(func(o *scskit.Options) {
				o.Plaintext = max(o.Plaintext, scskit.ReadPlaintext)
			})),
		portableMutant("seals-at-once", "sealed/begin",
			"WritePlaintext seals, while other processes have no keys", keys(func(o *scskit.Options) {
				o.Plaintext = min(o.Plaintext, scskit.ReadPlaintext)
			})),
		portableMutant("opens-with-first", "sealed/rotation",
			"only the first key opens", keys(func(o *scskit.Options) { o.Keys = o.Keys[:1] })),
		portableMutant("seals-with-last", "sealed/rewritten",
			"the last key seals", keys(func(o *scskit.Options) {
				o.Keys = slices.Clone(o.Keys)
				slices.Reverse(o.Keys)
			})),
		portableMutant("reseals-nothing", "sealed/reseal",
			"Reseal saves nothing", change{portable: func(k *fakePortable) {
				k.reseal = func(context.Context) (scskit.Resealed, error) { return scskit.Resealed{}, nil }
			}}),
		portableMutant("reseals-blindly", "sealed/reseal-busy",
			"Reseal overwrites what others have saved meanwhile", change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if v, ok := cond.Match(); ok && v == rec.Version {
						beat()
						cond = driver.Always()
					}
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
		portableMutant("drops-foreign-keys", "sealed/unknown-key",
			"a record under an unknown key is deleted", keys(func(o *scskit.Options) {
				o.OnUnreadable = func(context.Context, scskit.Unreadable) scskit.UnreadableAction {
					return scskit.DropUnreadable
				}
			})),
		portableMutant("empties-the-store", "sealed/misconfigured",
			"damaged records are deleted, however many", change{portable: func(k *fakePortable) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := k.Store.FindCtx(ctx, token)
					if errors.Is(err, scskit.ErrCorrupt) {
						return nil, false, k.inner.Delete(ctx, idOf(token), driver.Always())
					}
					return data, found, err
				}
			}}),
		portableMutant("drops-what-was-mended", "sealed/mended",
			"a damaged record is deleted at any version", change{driver: func(p *patch) {
				p.delete = func(ctx context.Context, id string, _ driver.Condition) error {
					return p.Driver.Delete(ctx, id, driver.Always())
				}
			}}),
		portableMutant("keeps-nothing-aside", "sealed/kept-aside",
			"Options.OnUnreadable has no effect", keys(func(o *scskit.Options) { o.OnUnreadable = nil })),
		portableMutant("forgets-overhead", "sealed/limit",
			"the limit of the backend is taken for that of the session", change{driver: func(p *patch) {
				p.limit += 35
			}}),
		portableMutant("sealed-users-are-lost", "sealed/user",
			"the sessions of a user are not found if they are sealed", keys(func(o *scskit.Options) {
				o.UserKey = ""
			})),
	}
	for i := range all {
		all[i].group = "sealed/" // the other checks use no keys
	}
	return all
}

var mutantSealer = func() *seal.Sealer {
	s, err := seal.New([][]byte{sealingKey()})
	if err != nil {
		panic(err)
	}
	return s
}()

// scrambled returns data with every byte changed; scrambled twice it is data again.
func scrambled(data []byte) []byte {
	data = slices.Clone(data)
	for i := range data {
		data[i] ^= 0x5a
	}
	return data
}

// sealedByDriver replaces the store's sealing by functions of a record's data and id.
func sealedByDriver(sealed func([]byte, string) []byte,
	open func([]byte, string) ([]byte, error)) change {
	return change{
		options: func(o *scskit.Options) { o.Keys, o.Plaintext = nil, scskit.RefusePlaintext },
		driver: func(p *patch) {
			p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
				rec.Data = sealed(rec.Data, rec.ID)
				return p.Driver.Save(ctx, rec, cond)
			}
			p.load = func(ctx context.Context, id string) (driver.Record, error) {
				rec, err := p.Driver.Load(ctx, id)
				if err != nil {
					return rec, err
				}
				if rec.Data, err = open(rec.Data, id); err != nil {
					rec.Data = []byte("does not open")
				}
				return rec, nil
			}
		},
	}
}
