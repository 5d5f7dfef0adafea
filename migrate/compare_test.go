package migrate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/migrate"
)

func TestCompare(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{PlainIDs: true}, scskit.Options{})
	tokens := s.sessions(100)
	s.from.renew(tokens[0])
	s.copy(nil)
	c := s.compare()
	if !c.Equal() || c.From.Sessions != 100 || c.From.Tombstones != 1 || c.From.Digest == "" {
		t.Errorf("%+v", c)
	}
	digest := c.From.Digest
	s.advance(time.Minute)
	s.from.destroy(tokens[1])
	s.to.destroy(tokens[2])
	s.to.save(tokens[3], "n", "changed")
	for id, rec := range s.to.records() {
		if id == scskit.HashToken(tokens[4]) {
			rec.Seen, rec.Expiry = s.Now(), rec.Expiry.Add(-time.Second)
			must(t, s.to.d.Touch(t.Context(), rec))
		}
		if id == scskit.HashToken(tokens[5]) {
			rec.Data = []byte("damaged")
			must(t, s.to.d.Driver.Save(t.Context(), rec, driver.Always()))
		}
	}
	c = s.compare()
	if c.Equal() || c.Missing != 1 || c.Extra != 1 || c.Different != 3 || c.To.Unreadable != 1 ||
		c.From.Digest == c.To.Digest || c.To.Digest == digest {
		t.Errorf("%+v", c)
	}
	want := map[string]string{
		tokens[1]: "extra", tokens[2]: "missing", tokens[3]: "values updated seen",
		tokens[4]: "expiry seen", tokens[5]: "unreadable in the target",
	}
	for _, d := range c.Differences {
		for token, what := range want {
			if scskit.HashToken(token) == d.ID && strings.Join(d.What, " ") == what {
				delete(want, token)
			}
		}
	}
	if len(want) > 0 || len(c.Differences) != 5 {
		t.Errorf("not found: %v in %+v", want, c.Differences)
	}
	for _, token := range tokens {
		if strings.Contains(fmt.Sprintf("%+v", c), token) {
			t.Error("the comparison has a token")
		}
	}
}

// A source may list a record twice.
func TestCompareRepeated(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	s.sessions(20)
	s.copy(nil)
	twice, err := scskit.NewStore(&repeating{s.from.d}, &scskit.Options{Now: s.Now})
	must(t, err)
	c, err := migrate.Compare(t.Context(), twice, s.to.Store)
	must(t, err)
	if !c.Equal() || c.From.Sessions != 20 {
		t.Errorf("%+v", c)
	}
	r, err := migrate.Copy(t.Context(), twice, s.to.Store, nil)
	must(t, err)
	if r.Listed != 40 || r.Unchanged != 40 {
		t.Errorf("%v", r)
	}
}

// Only the first thousand differences are listed.
func TestCompareMany(t *testing.T) {
	t.Parallel()
	s := newScene(t, scskit.Options{}, scskit.Options{})
	s.sessions(1200)
	c := s.compare()
	if c.Missing != 1200 || len(c.Differences) != 1000 || c.To.Sessions != 0 {
		t.Errorf("%d missing, %d differences", c.Missing, len(c.Differences))
	}
	ids := make([]string, 0, 1000)
	for _, d := range c.Differences {
		ids = append(ids, d.ID)
	}
	slices.Sort(ids)
	if len(slices.Compact(ids)) != 1000 {
		t.Error("a difference is listed twice")
	}
}
