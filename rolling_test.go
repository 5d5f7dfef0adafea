package scskit_test

import (
	"bytes"
	"encoding/gob"
	"os"
	"os/exec"
	"reflect"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/scskit/scskit"
	"github.com/scskit/scskit/driver"
	"github.com/scskit/scskit/stores/memstore"
)

// newCart is a type that only the new program registers. Since gob has one registry for each
// process, the new program runs in another process.
type newCart struct {
	Items map[string]int
	Gift  any
}

// newProgramVariable is the environment variable with the task of TestNewProgram: the codec to
// write a session with, or "check" to read one.
const newProgramVariable = "SCSKIT_NEW_PROGRAM"

var rollingDeadline = time.Date(2131, 5, 6, 7, 8, 9, 0, time.UTC)

// TestNewProgram is the new program of TestRollingDeploy. It writes a session to a file, or checks
// the session that it reads from standard input.
func TestNewProgram(t *testing.T) {
	task := os.Getenv(newProgramVariable)
	if task == "" {
		return // only TestRollingDeploy runs it
	}
	gob.Register(newCart{})
	cart := newCart{Items: map[string]int{"apple": 1, "pear": 2},
		Gift: newCart{Items: map[string]int{"fig": 3}}}
	if task == "check" {
		var in bytes.Buffer
		if _, err := in.ReadFrom(os.Stdin); err != nil {
			t.Fatal(err)
		}
		_, values, err := scskit.Codec{}.Decode(in.Bytes())
		if err != nil || !reflect.DeepEqual(values["cart"], cart) || values["user"] != "ada" {
			t.Fatalf("the new program reads %v, error %v", values, err)
		}
		return
	}
	var codec scs.Codec = scskit.Codec{}
	if task == "gob" {
		codec = scs.GobCodec{}
	}
	b, err := codec.Encode(rollingDeadline, map[string]any{"user": "ada", "cart": cart, "n": 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv(newProgramVariable+"_OUT"), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func newProgram(t *testing.T, task, out string, in []byte) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestNewProgram$")
	cmd.Env = append(os.Environ(), newProgramVariable+"="+task, newProgramVariable+"_OUT="+out)
	cmd.Stdin = bytes.NewReader(in)
	if b, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("new program, task %s: %v\n%s", task, err, b)
	}
}

// TestRollingDeploy runs the old program, which is this process, on a session of the new one.
func TestRollingDeploy(t *testing.T) {
	t.Parallel()
	for _, codec := range []string{"scskit", "gob"} {
		t.Run(codec, func(t *testing.T) {
			t.Parallel()
			out := t.TempDir() + "/session"
			newProgram(t, codec, out, nil)
			record, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			if codec == "gob" {
				if _, _, err := (scs.GobCodec{}).Decode(record); err == nil {
					t.Fatal("the old program has registered the type")
				}
			}
			store, err := memstore.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			sm := scskit.New(store)
			token, now := "token", time.Now()
			err = store.Driver().Save(t.Context(), driver.Record{
				ID: scskit.HashToken(token), Data: record, Expiry: now.Add(time.Hour), Created: now,
				Updated: now, Version: 1,
			}, driver.Always())
			if err != nil {
				t.Fatal(err)
			}
			for _, step := range []string{"put", "renew", "put"} {
				ctx, err := sm.Load(scskit.WithTracker(t.Context()), token)
				if err != nil {
					t.Fatal(err)
				}
				if u, ok := sm.Get(ctx, "cart").(scskit.Unknown); !ok || sm.GetString(ctx, "user") != "ada" {
					t.Fatalf("the old program reads the keys %v and the cart %v", sm.Keys(ctx), u)
				}
				if step == "renew" {
					err = sm.RenewToken(ctx)
				} else {
					sm.Put(ctx, "n", sm.GetInt(ctx, "n")+1)
				}
				if err != nil {
					t.Fatal(err)
				}
				if token, _, err = sm.Commit(ctx); err != nil {
					t.Fatal(err)
				}
			}
			data, found, err := store.Find(token)
			if !found || err != nil {
				t.Fatal(found, err)
			}
			newProgram(t, "check", "", data)
		})
	}
}
