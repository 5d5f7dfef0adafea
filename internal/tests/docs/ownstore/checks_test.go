package ownstore

import (
	"fmt"

	"github.com/scskit/scskit/conformance"
)

func ExampleChecks() {
	for _, c := range conformance.Checks() {
		fmt.Println(c.Level, c.ID, c.Why)
	}
}
