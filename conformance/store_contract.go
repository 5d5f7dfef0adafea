package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/alexedwards/scs/v2"
)

// storeContractChecks cover the contracts of scs.Store and scs.CtxStore.
var storeContractChecks = []check{
	{"contract/missing", LevelStore, contractMissing,
		"scs.Store: Find returns found false and a nil error for a token without a session"},
	{"contract/round-trip", LevelStore, contractRoundTrip,
		"scs.Store: Find returns what Commit has stored, every time"},
	{"contract/overwrite", LevelStore, contractOverwrite,
		"scs.Store: Commit overwrites the data of an existing token"},
	{"contract/delete", LevelStore, contractDelete,
		"scs.Store: Find does not find a deleted token"},
	{"contract/delete-missing", LevelStore, contractDeleteMissing,
		"scs.Store: Delete is a no-op without an error for a token without a session"},
	{"contract/delete-twice", LevelStore, contractDeleteTwice,
		"scs.Store: a second Delete of a token is a no-op without an error"},
	{"contract/commit-after-delete", LevelStore, contractCommitAfterDelete,
		"scs.Store: Commit stores a session under a token that was deleted"},
	{"contract/empty-payload", LevelStore, contractEmptyPayload,
		"scs.Store: Find finds a session with empty data"},
	{"contract/isolation", LevelStore, contractIsolation,
		"scs.Store: Commit and Delete of one token leave the sessions of all others unchanged"},
	{"contract/separate-stores", LevelStore, contractSeparateStores,
		"Store.New: two stores on one backend (prefixes, tables, collections) share no sessions"},
	{"contract/token-case", LevelStore, variants(swapCase),
		"tokens are base64 and case-sensitive: the same letters in another case are another token"},
	{"contract/token-space", LevelStore, variants(padded),
		"tokens are compared byte for byte: a comparison that pads with spaces ignores trailing ones"},
	{"contract/token-unicode", LevelStore, variants(lookAlikes),
		"tokens are compared byte for byte: a collation may equate " +
			"accented or wide letters with plain ones"},
	{"contract/token-prefix", LevelStore, variants(prefixes),
		"tokens are compared whole: neither a prefix of a token nor a longer text finds its session"},
	{"contract/token-base64", LevelStore, variants(spellings),
		"a base64 decoder accepts several spellings of one value: they are different tokens"},
	{"contract/aliasing-input", LevelStore, contractAliasingInput,
		"the caller may change the bytes after Commit returns"},
	{"contract/aliasing-output", LevelStore, contractAliasingOutput,
		"the caller may change the bytes that Find returns"},
	{"contract/find-creates-nothing", LevelStore, contractFindCreatesNothing,
		"OWASP session fixation: Find must not create a session for an unknown token"},
	{"contract/context-methods", LevelStore, contractContextMethods,
		"scs.CtxStore: the Ctx methods do the same as the plain ones, which helpers of scs still call"},
	{"contract/second-instance", LevelStore, contractSecondInstance,
		"once Commit returns in one process, every other process sees the session"},
}

func contractMissing(t *checkT) {
	s := t.newStore()
	t.wantNone(s, newToken())
	t.commit(s, newToken(), []byte("other"), in(lifetime))
	t.wantNone(s, newToken())
}

func contractRoundTrip(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	for range 3 {
		t.wantData(s, token, []byte("data"))
	}
}

func contractOverwrite(t *checkT) {
	s := t.newStore()
	token := newToken()
	for _, data := range []string{"first", "second, and longer", "3rd"} {
		t.commit(s, token, []byte(data), in(lifetime))
		t.wantData(s, token, []byte(data))
	}
}

func contractDelete(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	t.remove(s, token)
	t.wantNone(s, token)
}

func contractDeleteMissing(t *checkT) {
	t.remove(t.newStore(), newToken())
}

func contractDeleteTwice(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	t.remove(s, token)
	t.remove(s, token)
}

func contractCommitAfterDelete(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("before"), in(lifetime))
	t.remove(s, token)
	t.commit(s, token, []byte("after"), in(lifetime))
	t.wantData(s, token, []byte("after"))
}

func contractEmptyPayload(t *checkT) {
	s := t.newStore()
	for _, empty := range [][]byte{{}, nil} {
		token := newToken()
		t.commit(s, token, empty, in(lifetime))
		t.wantData(s, token, nil)
	}
}

func contractIsolation(t *checkT) {
	s := t.newStore()
	a, b := newToken(), newToken()
	t.commit(s, a, []byte("a"), in(lifetime))
	t.commit(s, b, []byte("b"), in(lifetime))
	t.wantData(s, a, []byte("a"))
	t.wantData(s, b, []byte("b"))
	t.commit(s, a, []byte("a2"), in(lifetime))
	t.wantData(s, b, []byte("b"))
	t.remove(s, a)
	t.wantData(s, b, []byte("b"))
}

func contractSeparateStores(t *checkT) {
	one, two := t.newStore(), t.newStore()
	token := newToken()
	t.commit(one, token, []byte("one"), in(lifetime))
	t.wantNone(two, token)
	t.commit(two, token, []byte("two"), in(lifetime))
	t.wantData(one, token, []byte("one"))
	t.remove(two, token)
	t.wantData(one, token, []byte("one"))
}

// variants returns a check that no variant of a token finds or deletes its session.
func variants(of func(token string) []string) func(t *checkT) {
	return func(t *checkT) {
		s := t.newStore()
		token := variantToken()
		t.commit(s, token, []byte("data"), in(lifetime))
		for _, v := range of(token) {
			t.wantNone(s, v)
			t.remove(s, v)
		}
		t.wantData(s, token, []byte("data"))
	}
}

// variantToken returns a token that has letters and both special characters of base64url.
func variantToken() string { return "aK-_" + newToken()[4:] }

func swapCase(token string) []string {
	return []string{strings.ToLower(token), strings.ToUpper(token)}
}

func padded(token string) []string {
	return []string{token + " ", " " + token, token + "\t", token + "\n"}
}

func lookAlikes(token string) []string {
	return []string{
		strings.Replace(token, "a", "á", 1),
		strings.Replace(token, "a", "a\u0301", 1),
		strings.Replace(token, "a", "\uff41", 1), // full width
		strings.Replace(token, "K", "\u212a", 1), // Kelvin: folds to k
		token + "\u200b",                         // zero width
	}
}

func prefixes(token string) []string {
	return []string{token[:len(token)-1], token[1:], token + "A", token + token}
}

// spellings returns other base64 texts that lenient decoders decode to the same bytes.
func spellings(token string) []string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	v := []string{token + "=", strings.NewReplacer("-", "+", "_", "/").Replace(token)}
	for low := range 4 { // the last two bits of the text are unused in a token of 32 bytes
		if other := last&^3 | low; other != last {
			v = append(v, token[:len(token)-1]+alphabet[other:other+1])
		}
	}
	return v
}

func contractAliasingInput(t *checkT) {
	s := t.newStore()
	token, data := newToken(), []byte("data")
	t.commit(s, token, data, in(lifetime))
	copy(data, "XXXX")
	t.wantData(s, token, []byte("data"))
}

func contractAliasingOutput(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.commit(s, token, []byte("data"), in(lifetime))
	data, found := t.find(s, token)
	if !found {
		t.Fatal("find: the session is not found")
	}
	copy(data, "XXXX")
	_ = append(data, "more"...)
	t.wantData(s, token, []byte("data"))
}

func contractFindCreatesNothing(t *checkT) {
	s := t.newStore()
	token := newToken()
	t.wantNone(s, token)
	t.wantNone(s, token)
	switch s.(type) {
	case scs.IterableStore, scs.IterableCtxStore:
		if all := t.all(s); len(all) != 0 {
			t.Errorf("all: %d sessions after finds of an unknown token, want none", len(all))
		}
	}
}

func contractContextMethods(t *checkT) {
	c, ok := t.newStore().(scs.CtxStore)
	if !ok {
		t.notApplicable("the store has no context methods")
	}
	plain := struct{ scs.Store }{c} // hides the context methods
	token := newToken()
	for _, step := range []struct {
		name        string
		write, read scs.Store
	}{{"written with a context", c, plain}, {"written without", plain, c}} {
		data := []byte(step.name)
		t.commit(step.write, token, data, in(lifetime))
		t.wantData(step.read, token, data)
		t.remove(step.write, token)
		t.wantNone(step.read, token)
	}
	listCtx, hasCtx := scs.Store(c).(scs.IterableCtxStore)
	list, has := scs.Store(c).(scs.IterableStore)
	if !hasCtx || !has {
		return
	}
	t.commit(c, token, []byte("data"), in(lifetime))
	a, errA := list.All()
	b, errB := listCtx.AllCtx(context.Background())
	if errA != nil || errB != nil || fmt.Sprint(a) != fmt.Sprint(b) {
		t.Errorf("All and AllCtx differ: %d sessions, error %v; %d sessions, error %v", len(a), errA,
			len(b), errB)
	}
}

func contractSecondInstance(t *checkT) {
	one := t.newStore()
	two := t.reopen(one)
	token := newToken()
	for i, data := range []string{"first", "second", "third"} {
		both := []scs.Store{one, two}
		if i%2 == 1 {
			slices.Reverse(both)
		}
		t.commit(both[0], token, []byte(data), in(lifetime))
		t.wantData(both[1], token, []byte(data))
	}
	t.remove(one, token)
	t.wantNone(two, token)
}
