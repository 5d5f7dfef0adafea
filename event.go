package scskit

import (
	"context"
	"fmt"
	"time"
)

// Kind is the kind of an Event.
type Kind uint8

// The kinds of events. Those of the first group are operations on the backend, one event for each.
// Those of the second group are findings, which are reported in addition to an operation.
const (
	KindLoad   Kind = iota + 1 // a record was looked up
	KindCreate                 // a new session was saved for the first time
	KindSave                   // a session was saved
	KindMerge                  // a session was merged with a concurrent write and saved
	KindTouch                  // only the expiry of a session was changed
	KindDelete                 // a session was destroyed or renewed
	KindLock                   // a session was locked or unlocked; see Store.Lock
	KindSweep                  // expired records were removed; see Event.Count

	KindConflict  // another request saved the session first; a merge follows
	KindGone      // a session was destroyed, or expired, during a request; nothing was stored
	KindCorrupt   // a record could not be read; it was deleted, kept aside or, in a list, skipped
	KindUntracked // scs's own middleware saved a session; concurrent changes may be lost
	KindLate      // a handler changed a session after the response began; the change is lost

	KindUnknown // no token of a request has a session; the event is the adapters'
	KindReuse   // the token of a session that was renewed earlier was used: it may be stolen
	KindAdopt   // a session of another package was adopted, or could not be; see adapters.Adopt
	KindCarry   // a session was moved between two backends, or could not be; see migrate.Between

	// Many records in a row could not be read, or a list has one under a key that this process lacks.
	// The process is probably misconfigured. See Options.OnUnreadable.
	KindUnreadable
)

var kindNames = [...]string{
	KindLoad: "load", KindCreate: "create", KindSave: "save", KindMerge: "merge", KindTouch: "touch",
	KindDelete: "delete", KindLock: "lock",
	KindSweep: "sweep", KindConflict: "conflict", KindGone: "gone",
	KindCorrupt: "corrupt", KindUntracked: "untracked", KindLate: "late",
	KindUnreadable: "unreadable", KindReuse: "reuse", KindUnknown: "unknown", KindAdopt: "adopt",
	KindCarry: "carry",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Outcome is how the operation of an Event ended.
type Outcome uint8

// The outcomes of an operation. A finding has OutcomeOK.
const (
	OutcomeOK       Outcome = iota + 1
	OutcomeMissing          // there was no such record
	OutcomeRejected         // the record had changed meanwhile
	OutcomeFailed           // see Event.Err
)

var outcomeNames = [...]string{OutcomeOK: "ok", OutcomeMissing: "missing",
	OutcomeRejected: "rejected", OutcomeFailed: "error"}

func (o Outcome) String() string {
	if int(o) < len(outcomeNames) && outcomeNames[o] != "" {
		return outcomeNames[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Event is an operation of a store, or a finding. It holds no token and no session data, so you may
// log it.
type Event struct {
	Kind    Kind
	Outcome Outcome

	// ID is the SHA-256 of the session's token in unpadded URL base64, even if Options.PlainIDs is
	// set. It is empty for a sweep.
	ID string

	// Duration is how long the backend took. It is zero for a finding.
	Duration time.Duration

	// Count is the number of records that a sweep removed, and otherwise 0.
	Count int

	// Err is set if Outcome is OutcomeFailed, and for KindCorrupt and KindUnreadable.
	Err error
}

// Observer is called for every event, on the goroutine that causes it, before the operation
// returns. It must be fast and safe for concurrent use. A panic in it is recovered.
//
// The context is the request's, without its sessions. scs holds a lock on the session during the
// call, so an observer that used the session would deadlock.
type Observer func(ctx context.Context, e Event)
