package scskit_test

import (
	"fmt"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/scskit/scskit"
)

// Codec works with any scs manager. It also reads the sessions that the manager saved before.
func ExampleCodec() {
	sm := scs.New()
	sm.Codec = scskit.Codec{}

	deadline := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	values := map[string]any{
		"user":   "ada",
		"logins": 3,
		"roles":  []string{"admin"},
		"seen":   deadline.Add(-time.Hour),
	}
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
		fmt.Println(deadline.Year(), values, err)
	}
	fmt.Println(len(record), "bytes")
	// Output:
	// 2030 map[logins:3 roles:[admin] seen:2030-01-02 02:04:05 +0000 UTC user:ada] <nil>
	// 2030 map[user:ada] <nil>
	// 52 bytes
}
