package redisstore

import (
	"testing"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/internal/testenv"
)

// The value of a session with three keys, one of them a UUID, has at most 108 bytes, both new and
// saved again.
func TestSizeOfASession(t *testing.T) {
	t.Parallel()
	client := singleClient(t)
	prefix := testenv.Name(t) + ":"
	store, err := New(client, &Options{Prefix: prefix})
	if err != nil {
		t.Fatal(err)
	}
	sm := scskit.New(store)
	token := ""
	for visits := range 2 {
		ctx, err := sm.Load(scskit.WithTracker(background), token)
		if err != nil {
			t.Fatal(err)
		}
		sm.Put(ctx, "user", "8f14e45f-ceea-467f-9575-6d2b5f2e0a11")
		sm.Put(ctx, "theme", "dark")
		sm.Put(ctx, "visits", 41+visits)
		if token, _, err = sm.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		n, err := client.StrLen(background, prefix+scskit.HashToken(token)).Result()
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 || n > 108 {
			t.Errorf("save %d: got a value of %d bytes, want 1 to 108", visits+1, n)
		}
	}
}
