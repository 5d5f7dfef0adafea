package migrate

import (
	"fmt"
	"strings"
	"time"
)

// Report says what a copy has done, or, in a dry run, would have done. Each record that was listed
// counts once, in one of the fields from Copied to Failed. A source may list a record more than
// once.
type Report struct {
	Listed int // records that the source has listed

	Copied    int // stored in the target, which did not have them
	Replaced  int // stored in the target, which had an older state
	Prolonged int // the same in the target, which got a later expiry
	Unchanged int // the same in the target
	Newer     int // newer in the target, and left alone
	Skipped   int // copied before, by the checkpoint, and not used since
	Ended     int // copied before, by the checkpoint, and gone from the target: not brought back
	Gone      int // ended in the source during the copy
	Expired   int // listed although they had expired
	Locks     int // locks of requests, which are not copied

	// Unreadable could not be read: damaged, or sealed under a key that the source does not have.
	Unreadable int

	// Failed could be read, and not stored: too large for the target, or the backend has failed.
	Failed int

	Tombstones int // of Copied and Replaced
	Pruned     int // removed from the target by Options.Prune

	Resumed  bool // an earlier copy was interrupted, and this one went on with it
	DryRun   bool
	Duration time.Duration

	// Problems are the first 100 of Unreadable and Failed.
	Problems []Problem
}

// Done returns how many records are dealt with.
func (r Report) Done() int {
	return r.Copied + r.Replaced + r.Prolonged + r.Unchanged + r.Newer + r.Skipped + r.Ended +
		r.Gone + r.Expired + r.Locks + r.Unreadable + r.Failed
}

// String returns the numbers that are not zero, in one line.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d listed", r.Listed)
	for _, part := range []struct {
		n    int
		name string
	}{
		{r.Copied, "copied"}, {r.Replaced, "replaced"}, {r.Prolonged, "prolonged"},
		{r.Unchanged, "unchanged"}, {r.Newer, "newer in the target"}, {r.Skipped, "skipped"},
		{r.Ended, "ended in the target"}, {r.Gone, "ended in the source"}, {r.Expired, "expired"},
		{r.Locks, "locks"}, {r.Unreadable, "unreadable"}, {r.Failed, "failed"}, {r.Pruned, "pruned"},
	} {
		if part.n > 0 {
			fmt.Fprintf(&b, ", %d %s", part.n, part.name)
		}
	}
	if r.DryRun {
		b.WriteString(" (dry run)")
	}
	return b.String()
}

// Problem is a record that could not be copied.
type Problem struct {
	ID  string // the hash of the session's token, as in scskit.Event
	Err error  // without a token, and nothing of the session
}

// PartialError means that the copy has come to the end, and that some records could not be copied.
type PartialError struct{ Report Report }

func (e *PartialError) Error() string {
	text := fmt.Sprintf("%d records could not be copied (%d unreadable, %d failed)",
		e.Report.Unreadable+e.Report.Failed, e.Report.Unreadable, e.Report.Failed)
	if len(e.Report.Problems) > 0 {
		p := e.Report.Problems[0]
		text += fmt.Sprintf("; the first is %s: %v", p.ID, p.Err)
	}
	return text
}

// Unwrap returns the errors of Report.Problems.
func (e *PartialError) Unwrap() []error {
	errs := make([]error, len(e.Report.Problems))
	for i, p := range e.Report.Problems {
		errs[i] = p.Err
	}
	return errs
}

// Progress says how far a copy has come.
type Progress struct {
	Report Report // so far

	// Rate is the number of records per second since the copy began.
	Rate float64

	// Total is the number of records of the source, and Remaining the time that the rest will take.
	// Both are zero without Options.Count, and estimates with it: the source changes meanwhile.
	Total     int
	Remaining time.Duration
}
