package conformance

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// watchdog is how long a check may take.
const watchdog = 60 * time.Second

// storeAdapter is the adapter name under which TestMatrix runs the checks of a store.
const storeAdapter = "store"

// TestStore runs the checks of LevelStore and, for a *scskit.Store, LevelKit against a
// store, each as a parallel subtest name/check.
func TestStore(t *testing.T, s Store) {
	t.Helper()
	test(t, storePlan(s))
}

// TestDriver runs the checks of LevelDriver against a driver, each as a
// parallel subtest name/check.
func TestDriver(t *testing.T, d Driver) {
	t.Helper()
	test(t, driverPlan(d))
}

// TestAdapter runs the checks of LevelAdapter and LevelPair against an adapter over the
// reference store, each as a parallel subtest name/check.
func TestAdapter(t *testing.T, a Adapter) {
	t.Helper()
	test(t, adapterPlan(a))
}

// TestMatrix runs all checks of every store, every adapter and every pair of the two, each as
// a parallel subtest adapter/store/check. The checks of a store alone have the adapter name
// "store", those of an adapter alone the store name "reference".
func TestMatrix(t *testing.T, adapters []Adapter, stores []Store) {
	t.Helper()
	test(t, matrixPlan(adapters, stores))
}

// RunStore is TestStore for programs other than tests.
func RunStore(ctx context.Context, s Store) Report { return storePlan(s).run(ctx) }

// RunDriver is TestDriver for programs other than tests.
func RunDriver(ctx context.Context, d Driver) Report { return driverPlan(d).run(ctx) }

// RunAdapter is TestAdapter for programs other than tests.
func RunAdapter(ctx context.Context, a Adapter) Report { return adapterPlan(a).run(ctx) }

// RunMatrix is TestMatrix for programs other than tests.
func RunMatrix(ctx context.Context, adapters []Adapter, stores []Store) Report {
	return matrixPlan(adapters, stores).run(ctx)
}

// job is one check of one subject.
type job struct {
	check   check
	store   *Store
	driver  *Driver
	adapter *Adapter
	group   string // the name of the subtest that the check's is part of
	result  Result // the part that says what was checked
}

// plan is all that one call runs.
type plan struct {
	jobs     []job
	problems []Result // what is wrong with the subjects themselves
}

func storePlan(s Store) plan {
	var p plan
	p.addStore(s, "", s.Name)
	return p
}

func driverPlan(d Driver) plan {
	var p plan
	r := Result{Store: d.Name}
	if !p.vet(r, d.Name, d.New != nil, d.Exempt, LevelDriver) {
		return p
	}
	for _, c := range checksOf(LevelDriver) {
		p.add(job{check: c, driver: &d, group: d.Name, result: r})
	}
	return p
}

func adapterPlan(a Adapter) plan {
	var p plan
	if !p.vetAdapter(a) {
		return p
	}
	s := reference()
	for _, c := range checksOf(LevelAdapter, LevelPair) {
		p.add(job{check: c, adapter: &a, store: &s, group: a.Name, result: Result{Adapter: a.Name, Store: s.Name}})
	}
	return p
}

func matrixPlan(adapters []Adapter, stores []Store) plan {
	var p plan
	for _, s := range stores {
		p.addStore(s, storeAdapter, storeAdapter+"/"+s.Name)
	}
	ref := reference()
	for _, a := range adapters {
		if !p.vetAdapter(a) {
			continue
		}
		for _, c := range checksOf(LevelAdapter) {
			p.add(job{
				check: c, adapter: &a, store: &ref, group: a.Name + "/" + ref.Name,
				result: Result{Adapter: a.Name, Store: ref.Name},
			})
		}
		for _, s := range stores {
			if s.New == nil {
				continue
			}
			for _, c := range checksOf(LevelPair) {
				p.add(job{
					check: c, adapter: &a, store: &s, group: a.Name + "/" + s.Name,
					result: Result{Adapter: a.Name, Store: s.Name},
				})
			}
		}
	}
	return p
}

func (p *plan) addStore(s Store, adapter, group string) {
	r := Result{Adapter: adapter, Store: s.Name}
	if !p.vet(r, s.Name, s.New != nil, s.Exempt, LevelStore, LevelKit, LevelPair) {
		return
	}
	for _, c := range checksOf(LevelStore, LevelKit) {
		p.add(job{check: c, store: &s, group: group, result: r})
	}
}

func (p *plan) add(j job) {
	j.result.Check, j.result.Level = j.check.id, j.check.level
	p.jobs = append(p.jobs, j)
}

func (p *plan) vetAdapter(a Adapter) bool {
	return p.vet(Result{Adapter: a.Name}, a.Name, a.Serve != nil, a.Exempt, LevelAdapter, LevelPair)
}

func (p *plan) vet(r Result, name string, usable bool, exemptions map[string]string, levels ...Level) bool {
	problems := unknownExemptions(exemptions, levels...)
	if name == "" || strings.Contains(name, "/") {
		problems = append(problems, fmt.Sprintf("the subject's name is %q: it must not be empty or hold a slash", name))
	}
	if !usable {
		problems = append(problems, "the subject has no constructor")
	}
	for _, problem := range problems {
		r.Outcome, r.Reason = Failed, problem
		p.problems = append(p.problems, r)
	}
	return usable
}

// test runs a plan under go test.
func test(t *testing.T, p plan) {
	t.Helper()
	var mu sync.Mutex
	report := Report{Results: p.problems}
	for _, r := range p.problems {
		t.Error(r.Reason)
	}
	for start := 0; start < len(p.jobs); {
		group := p.jobs[start].group
		end := start
		for end < len(p.jobs) && p.jobs[end].group == group {
			end++
		}
		jobs := p.jobs[start:end]
		start = end
		t.Run(group, func(t *testing.T) {
			for _, j := range jobs {
				t.Run(j.check.id, func(t *testing.T) {
					t.Parallel()
					r := j.run(t.Context(), watchdog)
					mu.Lock()
					report.Results = append(report.Results, r)
					mu.Unlock()
					switch r.Outcome {
					case Passed:
					case Failed:
						t.Errorf("%s\nwhy: %s", r.Reason, j.check.why)
					default:
						t.Logf("%s: %s", r.Outcome, r.Reason)
					}
				})
			}
		})
	}
	report.sort()
	t.Log(report.Summary())
	if file := reportFile(); file != "" {
		if err := report.WriteFile(file); err != nil {
			t.Error(err)
		}
	}
}

// run runs a plan without go test. A few checks more than there are processors run at a
// time, since most of their time is spent on waiting.
func (p plan) run(ctx context.Context) Report {
	report := Report{Results: make([]Result, len(p.jobs))}
	slots := make(chan struct{}, 2+runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i, j := range p.jobs {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			report.Results[i] = j.run(ctx, watchdog)
		})
	}
	all.Wait()
	report.Results = append(report.Results, p.problems...)
	report.sort()
	return report
}

// run runs one check, and never longer than limit.
func (j job) run(ctx context.Context, limit time.Duration) Result {
	r := j.result
	if err := ctx.Err(); err != nil {
		r.Outcome, r.Reason = Failed, fmt.Sprintf("not run: %v", err)
		return r
	}
	t := &T{name: j.group + "/" + j.check.id, store: j.store, driver: j.driver, adapter: j.adapter}
	t.ctx, t.cancel = context.WithCancel(ctx)
	defer t.cancel()

	begin := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer t.clean()
		defer t.cancel()
		defer t.recovered()
		j.check.run(t)
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.Errorf("the check did not end within %v; the goroutines:\n%s", limit, stacks())
	}
	r.DurationMS = time.Since(begin).Milliseconds()

	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	j.judge(t, &r)
	return r
}

// judge turns what a check has reported into an outcome.
func (j job) judge(t *T, r *Result) {
	log := strings.Join(t.lines, "\n")
	var declared []map[string]string
	if j.driver != nil {
		declared = append(declared, j.driver.Exempt)
	}
	if j.store != nil {
		declared = append(declared, j.store.Exempt)
	}
	if j.adapter != nil {
		declared = append(declared, j.adapter.Exempt)
	}
	reason, isExempt := exempt(j.check, declared...)
	switch {
	case isExempt && t.failed:
		r.Outcome, r.Reason = Exempt, reason
	case isExempt && t.na != "":
		r.Outcome, r.Reason = Failed, "exemption not needed: the check does not apply: "+t.na
	case isExempt:
		r.Outcome, r.Reason = Failed, "exemption not needed: the check passes; remove the exemption"
	case t.failed:
		r.Outcome, r.Reason = Failed, log
	case t.na != "":
		r.Outcome, r.Reason = NotApplicable, t.na
	default:
		r.Outcome = Passed
	}
}

// stacks returns the stacks of the goroutines, cut to a length that can be read.
func stacks() []byte {
	buf := make([]byte, 32<<10)
	return buf[:runtime.Stack(buf, true)]
}
