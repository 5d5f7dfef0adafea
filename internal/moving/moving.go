// Package moving tests that applications move their sessions from other packages to scskit, and
// back, with the real packages. It has no code but tests.
package moving
