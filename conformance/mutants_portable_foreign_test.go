package conformance

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portableForeignMutants mishandle values, codecs and drivers of the application.
func portableForeignMutants() []mutant {
	return []mutant{
		portableMutant("drops-unknown-types", "data/unknown-type",
			"a session with a value of an unknown type is corrupt",
			coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
				deadline, values, err := scskit.Codec{}.Decode(data)
				for _, v := range values {
					if _, ok := v.(scskit.Unknown); ok {
						return time.Time{}, nil, scskit.ErrCorrupt
					}
				}
				return deadline, values, err
			}})),
		portableMutant("forgets-unknown-types", "data/unknown-type",
			"the codec drops values of unknown types",
			coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
				deadline, values, err := scskit.Codec{}.Decode(data)
				maps.DeleteFunc(values, func(_ string, v any) bool { _, ok := v.(scskit.Unknown); return ok })
				return deadline, values, err
			}})),
		portableMutant("reads-old-types-only", "data/unknown-type-legacy",
			"a session of scs.GobCodec with a value of an unknown type is corrupt",
			coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
				deadline, values, err := scskit.Codec{}.Decode(data)
				for _, v := range values {
					if _, ok := v.(scskit.Unknown); ok && data[0] != 0xc1 {
						return time.Time{}, nil, scskit.ErrCorrupt
					}
				}
				return deadline, values, err
			}})),
		portableMutant("drops-what-it-cannot-read", "data/newer-format",
			"Find deletes a record in a newer format", change{portable: func(k *fakePortable) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := k.Store.FindCtx(ctx, token)
					if errors.Is(err, scskit.ErrNewer) {
						return nil, false, k.delete(ctx, token)
					}
					return data, found, err
				}
			}}),
		portableMutant("looks-through-a-codec", "data/decorated-codec",
			"Find decodes with scskit.Codec where a codec embeds it",
			change{portable: func(k *fakePortable) {
				k.find = func(ctx context.Context, token string) ([]byte, bool, error) {
					data, found, err := k.Store.FindCtx(ctx, token)
					if _, ok := k.opts.Codec.(masked); ok && tracked(ctx) {
						if _, _, err := (scskit.Codec{}).Decode(data); err != nil {
							return nil, false, k.delete(ctx, token)
						}
					}
					return data, found, err
				}
			}}),
		portableMutant("sweep-is-one-operation", "cleanup/slow-batch",
			"Options.Timeout limits a whole sweep", change{portable: func(k *fakePortable) {
				k.sweep = func(ctx context.Context) (int, error) {
					if k.opts.Timeout > 0 {
						var cancel context.CancelFunc
						ctx, cancel = context.WithTimeout(ctx, k.opts.Timeout)
						defer cancel()
					}
					return k.Store.Sweep(ctx)
				}
			}}),
		portableMutant("looks-at-the-outer-driver", "cleanup/decorated",
			"a sweep ignores Unwrap of the driver", change{driver: func(p *patch) {
				p.sweep = func(ctx context.Context, limit int) (int, error) {
					if s, ok := p.Driver.(driver.Sweeper); ok {
						return s.Sweep(ctx, limit)
					}
					return 0, nil
				}
			}}),
	}
}
