package conformance

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// storeAdapter is the adapter name under which TestMatrix runs the checks of a store.
const storeAdapter = "store"

// TestStore runs the checks of LevelStore and, for a *scskit.Store, LevelPortable against a store.
// Each is a parallel subtest name/check.
func TestStore(t *testing.T, s Store) {
	t.Helper()
	test(t, storePlan(s))
}

// TestDriver runs the checks of LevelDriver against a driver. Each is a parallel subtest
// name/check.
func TestDriver(t *testing.T, d Driver) {
	t.Helper()
	test(t, driverPlan(d))
}

// TestAdapter runs the checks of LevelAdapter and LevelPair against an adapter over the reference
// store. Each is a parallel subtest name/check.
func TestAdapter(t *testing.T, a Adapter) {
	t.Helper()
	test(t, adapterPlan(a))
}

// TestMatrix runs all checks of every store, every adapter and every pair of the two. Each is a
// parallel subtest adapter/store/check. The adapter is "store" for the checks of a store alone, and
// the store is "reference" for those of an adapter alone.
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
	subject *subject // the store's or the driver's
	group   string   // the name of the subtest that has the check as a subtest
	result  Result   // with the fields that name the check and the subject
}

// plan is all the checks of one run.
type plan struct {
	jobs     []job
	problems []Result // problems of the subjects' declarations
}

func storePlan(s Store) plan {
	var p plan
	p.addStore(&s, new(subject), "", s.Name)
	return p
}

func driverPlan(d Driver) plan {
	var p plan
	r := Result{Store: d.Name}
	if !p.vet(r, d.Name, d.New != nil, d.Exempt, LevelDriver) {
		return p
	}
	s := new(subject)
	for _, c := range checksOf(LevelDriver) {
		p.add(job{check: c, driver: &d, subject: s, group: d.Name, result: r})
	}
	return p
}

func adapterPlan(a Adapter) plan {
	var p plan
	if !p.vetAdapter(a) {
		return p
	}
	s, sub := reference(), new(subject)
	for _, c := range checksOf(LevelAdapter, LevelPair) {
		p.add(job{
			check: c, adapter: &a, store: &s, subject: sub, group: a.Name,
			result: Result{Adapter: a.Name, Store: s.Name},
		})
	}
	return p
}

func matrixPlan(adapters []Adapter, stores []Store) plan {
	var p plan
	stores = slices.Clone(stores)
	subjects := make([]*subject, len(stores))
	for i := range stores {
		subjects[i] = new(subject)
		p.addStore(&stores[i], subjects[i], storeAdapter, storeAdapter+"/"+stores[i].Name)
	}
	ref, refSubject := reference(), new(subject)
	for _, a := range adapters {
		if !p.vetAdapter(a) {
			continue
		}
		for _, c := range checksOf(LevelAdapter) {
			p.add(job{
				check: c, adapter: &a, store: &ref, subject: refSubject, group: a.Name + "/" + ref.Name,
				result: Result{Adapter: a.Name, Store: ref.Name},
			})
		}
		for i := range stores {
			s := &stores[i]
			if s.New == nil {
				continue
			}
			for _, c := range checksOf(LevelPair) {
				p.add(job{
					check: c, adapter: &a, store: s, subject: subjects[i], group: a.Name + "/" + s.Name,
					result: Result{Adapter: a.Name, Store: s.Name},
				})
			}
		}
	}
	return p
}

func (p *plan) addStore(s *Store, sub *subject, adapter, group string) {
	r := Result{Adapter: adapter, Store: s.Name}
	if !p.vet(r, s.Name, s.New != nil, s.Exempt, LevelStore, LevelPortable, LevelPair) {
		return
	}
	for _, c := range checksOf(LevelStore, LevelPortable) {
		p.add(job{check: c, store: s, subject: sub, group: group, result: r})
	}
}

func (p *plan) add(j job) {
	j.result.Check, j.result.Level = j.check.id, j.check.level
	p.jobs = append(p.jobs, j)
}

func (p *plan) vetAdapter(a Adapter) bool {
	return p.vet(Result{Adapter: a.Name}, a.Name, a.Serve != nil, a.Exempt, LevelAdapter, LevelPair)
}

func (p *plan) vet(r Result, name string, usable bool, exemptions map[string]string,
	levels ...Level) bool {
	problems := exemptionProblems(exemptions, levels...)
	if name == "" || strings.Contains(name, "/") {
		problems = append(problems,
			fmt.Sprintf("the subject's name is %q: it must not be empty or hold a slash", name))
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
					r := j.run(t.Context(), stall)
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

// run runs a plan without go test. It runs a few more checks than there are processors
// concurrently, because they mostly wait.
func (p plan) run(ctx context.Context) Report {
	report := Report{Results: make([]Result, len(p.jobs))}
	slots := make(chan struct{}, 2+runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for i, j := range p.jobs {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			report.Results[i] = j.run(ctx, stall)
		})
	}
	all.Wait()
	report.Results = append(report.Results, p.problems...)
	report.sort()
	return report
}

// run runs one check when the subject has a free slot. A check without a beat for the limit, scaled
// to the backend, hangs.
func (j job) run(ctx context.Context, limit time.Duration) Result {
	s := j.measured(ctx)
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
	}
	r := j.result
	if err := ctx.Err(); err != nil {
		r.Outcome, r.Reason = Failed, fmt.Sprintf("not run: %v", err)
		return r
	}
	v := j.watched(ctx, s, limit)
	r.Outcome, r.Reason, r.DurationMS = v.outcome, v.reason, v.took.Milliseconds()
	return r
}

// verdict is the result of running a check once.
type verdict struct {
	outcome Outcome
	reason  string
	took    time.Duration
	hung    bool
}

// watched runs a check until it ends or hangs. It leaves the goroutines of a check that hangs
// behind.
func (j job) watched(ctx context.Context, s *subject, limit time.Duration) verdict {
	t := &checkT{
		name: j.group + "/" + j.check.id, subject: s,
		store: j.store, driver: j.driver, adapter: j.adapter,
	}
	t.ctx, t.cancel = context.WithCancel(pprof.WithLabels(ctx, pprof.Labels(label, t.name)))
	defer t.cancel()
	limit = s.scaled(limit)
	if s.hung.Load() {
		limit /= 10 // other checks of the subject are likely to hang as well
	}

	begin := time.Now()
	done := make(chan struct{})
	go func() {
		pprof.SetGoroutineLabels(t.ctx)
		defer close(done)
		defer t.clean()
		defer t.cancel()
		defer t.recovered()
		panicOnFault()
		j.check.run(t)
	}()
	hang := t.watch(done, limit)
	if hang != nil {
		t.record(hang.Error(), true)
		s.hung.Store(true)
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = true
	v := j.judge(t)
	v.took, v.hung = time.Since(begin), hang != nil
	return v
}

// judge turns the reports of a check into an outcome.
func (j job) judge(t *checkT) (v verdict) {
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
		v.outcome, v.reason = Exempt, reason
	case isExempt && t.na != "":
		v.outcome, v.reason = Failed, "exemption not needed: the check does not apply: "+t.na
	case isExempt:
		v.outcome, v.reason = Failed, "exemption not needed: the check passes; remove the exemption"
	case t.failed:
		v.outcome, v.reason = Failed, log
	case t.na != "":
		v.outcome, v.reason = NotApplicable, t.na
	default:
		v.outcome = Passed
	}
	return v
}
