package conformance

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
)

// portablePeriodicMutants mishandle periodic renewals, and what is asked about one session.
func portablePeriodicMutants() []mutant {
	return []mutant{
		portableMutant("periodic-is-a-sign-in", "periodic/writer",
			"a periodic renewal counts as a sign-in", change{driver: func(p *patch) {
				p.save = func(ctx context.Context, rec driver.Record, cond driver.Condition) error {
					if isTombstone(rec.Data) {
						why := bytes.LastIndexByte(rec.Data, 0) + 1
						rec.Data = slices.Clone(rec.Data)
						rec.Data[why] = 'r'
					}
					return p.Driver.Save(ctx, rec, cond)
				}
			}}),
		portableMutant("keeps-the-old-token", "periodic/others",
			"DestroySessionsOf keeps what is stored under the token that is excepted, and no more",
			change{portable: func(k *fakePortable) {
				k.destroyOf = func(ctx context.Context, user string, except ...string) (int, error) {
					except = slices.DeleteFunc(slices.Clone(except), func(token string) bool {
						rec, err := k.peek(idOf(token))
						return err == nil && isTombstone(rec.Data)
					})
					return k.Store.DestroySessionsOf(ctx, user, except...)
				}
			}}),
		portableMutant("locks-the-token", "periodic/lock",
			"Lock locks what is stored under the token itself", change{portable: func(k *fakePortable) {
				k.lock = func(
					_ context.Context, token string, o scskit.LockOptions,
				) (*scskit.SessionLock, error) {
					return k.Store.Lock(context.Background(), token, o)
				}
			}}),
		portableMutant("destroys-any-id", "user/destroy-one",
			"DestroySessionOf does not look whose the session is", change{portable: func(k *fakePortable) {
				k.destroyOne = func(ctx context.Context, _, id string) (bool, error) {
					return true, k.inner.Delete(ctx, id, driver.Always())
				}
			}}),
		portableMutant("forgets-lifetimes", "signin/lifetime",
			"every session has the manager's lifetime", change{portable: func(k *fakePortable) {
				k.commit = func(ctx context.Context, token string, data []byte, e time.Time) error {
					_, values, err := k.Codec().Decode(data)
					if facts, _ := values[signInKey].(string); err == nil && strings.Contains(facts, `"life"`) {
						deadline := time.Now().Add(time.Hour)
						if data, err = k.Codec().Encode(deadline, values); err != nil {
							return err
						}
						e = deadline
					}
					return k.Store.CommitCtx(ctx, token, data, e)
				}
			}}),
	}
}
