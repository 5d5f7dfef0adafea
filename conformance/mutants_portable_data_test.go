package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

func portableDataMutants() []mutant {
	return []mutant{
		portableMutant("decodes-in-place", "data/changed-in-place",
			"the codec returns slices of the record",
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
		portableMutant("last-expiry-wins", "expiry/merged",
			"a save over a record shortens its expiry by a minute",
			change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if _, ok := cond.Match(); ok {
						rec.Expiry = rec.Expiry.Add(-time.Minute)
					}
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
		portableMutant("int64-is-int", "data/types",
			"the codec returns an int64 as an int", eachValue(func(v any) any {
				if n, ok := v.(int64); ok {
					return int(n)
				}
				return v
			})),
		portableMutant("structs-are-maps", "data/registered-struct",
			"the codec returns a struct as a map",
			eachValue(func(v any) any {
				if reflect.ValueOf(v).Kind() == reflect.Struct {
					if _, ok := v.(time.Time); !ok {
						return map[string]any{"struct": fmt.Sprint(v)}
					}
				}
				return v
			})),
		portableMutant("reads-no-gob", "data/legacy-gob",
			"the codec rejects the format of scs.GobCodec",
			coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
				if _, _, err := (scs.GobCodec{}).Decode(data); err == nil {
					return time.Time{}, nil, errors.New("unknown format")
				}
				return scskit.Codec{}.Decode(data)
			}})),
		portableMutant("no-limit", "data/too-large",
			"Options.MaxSize is ignored",
			change{options: func(o *scskit.Options) { o.MaxSize = 0 }}),
		portableMutant("limit-off-by-one", "data/limit-exact",
			"Options.MaxSize allows one byte more",
			change{options: func(o *scskit.Options) {
				if o.MaxSize > 0 {
					o.MaxSize++
				}
			}}),
		portableMutant("ignores-backend-limit", "data/backend-limit",
			"the limit of the driver is ignored",
			change{driver: func(p *patch) { p.limit = 1 << 30 }}),
	}
}
