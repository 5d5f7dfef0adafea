package scskit

import (
	"context"
	"fmt"
	"time"
)

// Kind says what an Event is about.
type Kind uint8

// The kinds of events. The first group are operations on the backend, one event for
// each; the second are findings, which come beside them.
const (
	KindLoad   Kind = iota + 1 // a record was looked for
	KindCreate                 // a new session was saved for the first time
	KindSave                   // a session was saved
	KindMerge                  // a session was merged with a concurrent write, and saved
	KindTouch                  // only the expiry of a session was moved
	KindDelete                 // a session was destroyed or renewed
	KindSweep                  // expired records were removed; Count of them

	KindConflict  // another request saved the session first; a merge follows
	KindGone      // the session was destroyed or renewed while a request used it; nothing was stored
	KindCorrupt   // a record could not be decoded: it was dropped or, in a list, passed over
	KindUntracked // scs's own middleware saved a session: concurrent changes may be lost
	KindLate      // a handler changed the session after its response had opUsed; the change is lost
)

var kindNames = [...]string{
	KindLoad: "load", KindCreate: "create", KindSave: "save", KindMerge: "merge", KindTouch: "touch",
	KindDelete: "delete", KindSweep: "sweep", KindConflict: "conflict", KindGone: "gone",
	KindCorrupt: "corrupt", KindUntracked: "untracked", KindLate: "late",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) && kindNames[k] != "" {
		return kindNames[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Outcome says how the operation of an Event ended.
type Outcome uint8

// The outcomes of an operation. A finding has outcome OutcomeOK.
const (
	OutcomeOK       Outcome = iota + 1
	OutcomeMissing          // there was no such record
	OutcomeRejected         // the record had changed meanwhile
	OutcomeFailed           // Event.Err says why
)

var outcomeNames = [...]string{OutcomeOK: "ok", OutcomeMissing: "missing",
	OutcomeRejected: "rejected", OutcomeFailed: "error"}

func (o Outcome) String() string {
	if int(o) < len(outcomeNames) && outcomeNames[o] != "" {
		return outcomeNames[o]
	}
	return fmt.Sprintf("Outcome(%d)", uint8(o))
}

// Event is one thing that happened in a store. It holds neither tokens nor
// session data, and may be logged as it is.
type Event struct {
	Kind    Kind
	Outcome Outcome

	// ID is the SHA-256 of the session's token in unpadded URL base64, also
	// where the store itself keeps plain tokens. It is empty for a sweep.
	ID string

	// Duration is how long the backend took; zero for a finding.
	Duration time.Duration

	// Count is how many records a sweep removed, and 0 otherwise.
	Count int

	// Err is set if Outcome is Failed, and for KindCorrupt.
	Err error
}

// Observer is told of every event, on the goroutine that causes it, before
// the operation returns: it must be quick and safe for concurrent use. A panic in
// it is contained. The context is that of the request without its sessions: scs holds a lock on the
// session meanwhile, so that an observer which asked for it would wait for ever.
type Observer func(ctx context.Context, e Event)
