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
		"scs.Store: a token that is not found gives found false and a nil error"},
	{"contract/round-trip", LevelStore, contractRoundTrip,
		"scs.Store: what is committed is found, as often as it is looked for"},
	{"contract/overwrite", LevelStore, contractOverwrite,
		"scs.Store: committing an existing token overwrites its data"},
	{"contract/delete", LevelStore, contractDelete,
		"scs.Store: a deleted token is not found"},
	{"contract/delete-missing", LevelStore, contractDeleteMissing,
		"scs.Store: deleting a token that does not exist is a no-op and no error"},
	{"contract/delete-twice", LevelStore, contractDeleteTwice,
		"scs.Store: deleting a token again is a no-op and no error"},
	{"contract/commit-after-delete", LevelStore, contractCommitAfterDelete,
		"scs.Store: a token that was deleted can be committed again"},
	{"contract/empty-payload", LevelStore, contractEmptyPayload,
		"scs.Store: found says whether a session is there, not how long its data is"},
	{"contract/isolation", LevelStore, contractIsolation,
		"scs.Store: what is done to one token leaves every other one alone"},
	{"contract/separate-stores", LevelStore, contractSeparateStores,
		"Store.New: two stores on one backend (prefixes, tables, collections) share nothing"},
	{"contract/token-case", LevelStore, variants(swapCase),
		"tokens are base64 and case-sensitive: another case is another token"},
	{"contract/token-space", LevelStore, variants(padded),
		"tokens are compared byte for byte: padding comparisons ignore trailing spaces"},
	{"contract/token-unicode", LevelStore, variants(lookAlikes),
		"tokens are compared byte for byte: collations take accented or wide letters for plain ones"},
	{"contract/token-prefix", LevelStore, variants(prefixes),
		"tokens are compared whole: neither a part of a token nor more than it finds the session"},
	{"contract/token-base64", LevelStore, variants(spellings),
		"a base64 decoder takes several spellings for one value: they are different tokens"},
	{"contract/aliasing-input", LevelStore, contractAliasingInput,
		"the caller may change the bytes after Commit has returned"},
	{"contract/aliasing-output", LevelStore, contractAliasingOutput,
		"the caller may change the bytes that Find has returned"},
	{"contract/find-creates-nothing", LevelStore, contractFindCreatesNothing,
		"OWASP session fixation: looking for an unknown token must not adopt it"},
	{"contract/context-methods", LevelStore, contractContextMethods,
		"scs.CtxStore: the Ctx methods are the same as the plain ones, which scs's own helpers still " +
			"call"},
	{"contract/second-instance", LevelStore, contractSecondInstance,
		"what one process has been told is stored, another process sees at once"},
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

// variants returns a check that no variant of a token finds, overwrites or deletes its session.
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

// variantToken returns a token with letters and both signs of the URL alphabet in it.
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

// spellings returns other base64 texts that lenient decoders take for the same bytes.
func spellings(token string) []string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, token[len(token)-1])
	v := []string{token + "=", strings.NewReplacer("-", "+", "_", "/").Replace(token)}
	for low := range 4 { // a token of 32 bytes does not use the last two bits of its text
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
			t.Errorf("all: %d sessions after looking for one that is not there", len(all))
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
