// Package conformance proves that a session store, a driver or a framework adapter behaves. It is
// for their authors, whether part of scskit or not, and for whoever wants to see in their own
// CI that the pair they picked works:
//
//	func TestConformance(t *testing.T) {
//		conformance.TestStore(t, conformance.Store{Name: "mystore", New: newMyStore})
//	}
//
// Checks lists the checks. Each has an id that stays the same, a reason, and a level that says what
// it can be run against. A store is put to those of LevelStore and, if it is a
// *scskit.Store, of LevelPortable; a driver to LevelDriver; an adapter to LevelAdapter and
// LevelPair, over a reference store in memory. TestMatrix puts every adapter
// together with every store.
//
// # Exemptions
//
// A subject that cannot keep a promise says so, in Exempt, with the reason. The check runs all the
// same. If it passes, or does not even apply, the exemption is not needed and the suite fails, and
// so it does if there is no such check. Nothing is skipped in silence: a check that has nothing to
// say about a subject is reported as not applicable, with the reason, and a constructor that calls
// Skip fails.
//
// # Time
//
// Whether a session has expired is decided by the backend's own clock, so the checks wait for it:
// some seconds for a whole suite. A clock that is off by more than some 200 ms from that of the
// machine which runs the checks will fail some.
//
// No verdict depends on how fast the machine or the backend is. Before its first check, a store or
// a driver is timed with a few plain operations. By that, everything that checks wait for is given
// time, crowds of clients shrink to what the backend can serve, and fewer checks of it run at once.
// A *scskit.Store has at least 40 seconds for each operation, whatever its Options.Timeout.
// Time-outs of a client library are set in New: give them a minute where CI may be slow.
//
// A check in which nothing happens for 20 seconds, or longer on a slow backend, hangs. It fails
// with the place where it waits, and the run goes on. What it was doing is left behind.
//
// A panic in a check or in a handler fails the check, with the place. The kit cannot stop one in a
// goroutine of the subject.
//
// # Reports
//
// The flag -scskit.report, or the environment variable SCSKIT_REPORT where not every package under
// test has the flag, names a file to which the Test functions write their results as JSON. It
// should be an absolute path: go test runs each package in its own directory. The Run functions
// are the Test functions for programs that are no tests; they return the Report.
//
// # Limits
//
// What passes is not proven right: checks of races arrange them where they can, and otherwise
// try often. What fails is wrong.
//
// A store may return memory that it later unmaps, as one over mapped files easily does. Where the
// kit's own goroutines read such memory, the check fails and the run goes on; checks data/stays and
// driver/data-stays name the call. Goroutines of the subject, and those of a framework in which an
// adapter reads a session, are not the kit's: a fault there ends the program. So run TestStore or
// TestDriver first, and TestMatrix and TestAdapter when it passes.
//
// These promises have no check yet: sealed records (truncated, altered, swapped, copied to another
// id, under a retired key, plaintext), locks, sessions that travel in the cookie (parts, size), TTL
// attributes, throttled backends, connections cut in mid-command, and restarts of a backend. The
// stores' own tests hold some of them.
//
// # Source files
//
// The first part of a file name is the level of its checks. Each group has these files, with a table
// of the checks and the functions that run them:
//
//	contract     store_contract.go
//	all          store_all.go portable_all.go
//	expiry       store_expiry.go portable_expiry.go
//	concurrency  store_concurrency.go portable_concurrency.go portable_merge.go
//	renewal      portable_renewal.go portable_renewal_merge.go
//	data         store_data.go portable_data.go portable_data_foreign.go portable_data_stays.go
//	hostile      store_hostile.go portable_hostile.go
//	faults       portable_faults.go portable_faults_events.go
//	cleanup      portable_cleanup.go portable_cleanup_batches.go
//	user         portable_user.go portable_user_destroy.go
//	driver       driver_moved.go driver_range.go driver_record.go driver_rules.go driver_schema.go
//	             driver_sweep.go driver_user.go
//	cookie       adapter_cookie.go
//	token        adapter_token.go
//	adapter      adapter_error.go adapter_feature.go adapter_response.go
//	neighbour    adapter_neighbour.go adapter_neighbour_abandon.go
//	pair         pair_failure.go pair_policy.go pair_race.go pair_session.go
package conformance
