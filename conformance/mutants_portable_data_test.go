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
		portableMutant("decodes-in-place", `data/changed-in-place`,
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
		portableMutant("last-expiry-wins", `expiry/deadline-moved expiry/merged`,
			change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if _, ok := cond.Match(); ok {
						rec.Expiry = rec.Expiry.Add(-time.Minute)
					}
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
		portableMutant("int64-is-int", `data/types`, eachValue(func(v any) any {
			if n, ok := v.(int64); ok {
				return int(n)
			}
			return v
		})),
		portableMutant("structs-are-maps", `data/registered-struct data/unknown-type data/unknown-type-legacy`,
			eachValue(func(v any) any {
				if reflect.ValueOf(v).Kind() == reflect.Struct {
					if _, ok := v.(time.Time); !ok {
						return map[string]any{"struct": fmt.Sprint(v)}
					}
				}
				return v
			})),
		portableMutant("reads-no-gob", `data/legacy-gob`,
			coded(codec{decode: func(data []byte) (time.Time, map[string]any, error) {
				if _, _, err := (scs.GobCodec{}).Decode(data); err == nil {
					return time.Time{}, nil, errors.New("unknown format")
				}
				return scskit.Codec{}.Decode(data)
			}})),
		portableMutant("no-limit", `data/limit-exact data/too-large data/too-large-merged`,
			change{options: func(o *scskit.Options) { o.MaxSize = 0 }}),
		portableMutant("limit-off-by-one", `data/limit-exact data/too-large`,
			change{options: func(o *scskit.Options) {
				if o.MaxSize > 0 {
					o.MaxSize++
				}
			}}),
		portableMutant("ignores-backend-limit", `data/backend-limit`,
			change{driver: func(p *patch) { p.limit = 1 << 30 }}),
	}
}
