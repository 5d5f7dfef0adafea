// Package conformance is a test kit for session stores, drivers and framework adapters. It is for
// their authors, in scskit and outside, and for users who want to test in their own CI that a store
// and an adapter work together:
//
//	func TestConformance(t *testing.T) {
//		conformance.TestStore(t, conformance.Store{Name: "mystore", New: newMyStore})
//	}
//
// Checks returns the list of checks. A check has an id that never changes, a reason, and a level.
// TestStore runs the checks of LevelStore and, for a *scskit.Store, of LevelPortable. TestDriver
// runs those of LevelDriver. TestAdapter runs those of LevelAdapter and LevelPair over a reference
// store in memory. TestMatrix runs every adapter with every store.
//
// # Exemptions
//
// A subject that cannot keep a promise declares so in Exempt, with the reason. The check runs all
// the same. The suite fails if the check passes, does not apply, or does not exist: the exemption
// is not needed. Nothing is skipped silently. A check that does not concern a subject is reported
// as not applicable, with the reason, and a constructor that calls Skip fails.
//
// # Time
//
// The clock of the backend decides whether a session has expired, so checks wait for it: a few
// seconds for a whole suite. Some checks fail if that clock differs by more than about 200 ms from
// the clock of the machine that runs the checks.
//
// No outcome depends on the speed of the machine or the backend. Before the first check, the kit
// times a few plain operations of a store or a driver. On a slow backend checks wait longer, use
// fewer concurrent clients, and fewer of them run concurrently. A *scskit.Store gets at least 40
// seconds for each operation, whatever its Options.Timeout. Set the timeouts of a client library in
// New: use a minute if CI may be slow.
//
// A check in which nothing happens for 20 seconds, or longer on a slow backend, hangs. It fails
// with the place where it waits, and the run goes on. Its goroutines are left behind.
//
// A panic in a check or in a handler fails the check, with the place. The kit cannot recover a
// panic in a goroutine of the subject.
//
// # Reports
//
// The flag -scskit.report names a file to which the Test functions write their results as JSON. The
// environment variable SCSKIT_REPORT does the same, for runs in which not every package under test
// has the flag. Use an absolute path: go test runs each package in its own directory. The Run
// functions are the Test functions for programs that are not tests; they return the Report.
//
// # Limits
//
// A subject that passes is not proven correct: a check of a race arranges it where it can, and
// otherwise tries often. A subject that fails is wrong.
//
// A store may return memory that it later unmaps, as a store over mapped files easily does. If a
// goroutine of the kit reads such memory, the check fails and the run goes on; the checks
// data/stays and driver/data-stays report the call. If a goroutine of the subject or of a framework
// reads it, the program ends. So run TestStore or TestDriver first, and TestMatrix and TestAdapter
// when it passes.
//
// These promises have no check yet: sessions that travel in the cookie (parts, size), TTL
// attributes, throttled backends, connections that break during a command, and restarts of a
// backend. The stores' own tests cover some of them.
//
// # Source files
//
// The first part of a file name is the level of its checks. A file has a table of checks and the
// functions that run them. The files of each group are:
//
//	contract     store_contract.go
//	all          store_all.go portable_all.go
//	expiry       store_expiry.go portable_expiry.go
//	concurrency  store_concurrency.go portable_concurrency.go portable_merge.go
//	renewal      portable_renewal.go portable_renewal_merge.go
//	             portable_renewal_reuse.go
//	periodic     portable_renewal_periodic.go
//	data         store_data.go portable_data.go portable_data_foreign.go portable_data_stays.go
//	hostile      store_hostile.go portable_hostile.go
//	sealed       portable_sealed.go portable_sealed_rotation.go
//	faults       portable_faults.go portable_faults_events.go
//	cleanup      portable_cleanup.go portable_cleanup_batches.go
//	signin       portable_signin.go portable_signin_idle.go
//	user         portable_user.go portable_user_destroy.go portable_user_update.go
//	update       portable_update.go
//	driver       driver_moved.go driver_range.go driver_record.go driver_rules.go driver_schema.go
//	             driver_sweep.go driver_user.go
//	cookie       adapter_cookie.go adapter_option.go
//	token        adapter_token.go pair_transport.go
//	transport    adapter_option.go pair_transport.go
//	adapter      adapter_error.go adapter_feature.go adapter_option.go adapter_response.go
//	limit        adapter_limit.go
//	neighbour    adapter_neighbour.go adapter_neighbour_abandon.go
//	adopt        pair_adopt.go
//	pair         pair_failure.go pair_leak.go pair_lock.go pair_policy.go pair_race.go
//	             pair_renewal.go pair_session.go pair_signin.go
package conformance
