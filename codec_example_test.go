package scskit_test

import (
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/scskit/scskit"
)

// Codec serves any scs manager. Sessions that the manager saved before are read as well.
func ExampleCodec() {
	sm := scs.New()
	sm.Codec = scskit.Codec{}

	deadline := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	values := map[string]any{"user": "ada", "logins": 3, "seen": deadline.Add(-time.Hour),
		"roles": []string{"admin"}}
	old, err := scs.GobCodec{}.Encode(deadline, map[string]any{"user": "ada"})
	if err != nil {
		fmt.Println(err)
		return
	}
	record, err := sm.Codec.Encode(deadline, values)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range [][]byte{record, old} {
		deadline, values, err := sm.Codec.Decode(b)
		fmt.Println(deadline, values, err)
	}
	fmt.Println(len(record), "bytes")
	// Output:
	// 2030-01-02 03:04:05 +0000 UTC map[logins:3 roles:[admin] seen:2030-01-02 02:04:05 +0000 UTC user:ada] <nil>
	// 2030-01-02 03:04:05 +0000 UTC map[user:ada] <nil>
	// 52 bytes
}
