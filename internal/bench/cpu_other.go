//go:build !unix

package main

import "time"

// cpu returns 0: the processor time is not available on this system.
func cpu() time.Duration { return 0 }
