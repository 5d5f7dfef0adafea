package redisstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/scskit/scskit/driver"
)

// users is the driver with an index of users. The index is a sorted set for each user, which holds
// the ids of the user's sessions. Every save and touch of such a session writes its entry, so a
// lost entry comes back. A delete does not know the user, so the entry stays behind. An entry is a
// hint: the session itself says whose it is.
//
// The score of an entry is the expiry of the session, in milliseconds. A write removes the entries
// whose expiry has passed.
//
// RangeUser removes entries without a session, but not at once. On a Cluster, the session and the
// entry are on different servers, so an entry may be there before the session that a save is about
// to store. RangeUser therefore marks the entry: the score becomes the negative of the time from
// which it may be removed. A save or a touch of the session removes the mark. A later RangeUser
// removes the entry, if there is still no session and that time has passed.
type users struct{ *sessions }

var _ driver.UserIndex = (*users)(nil)

const (
	// grace is the time from the mark to the removal, in milliseconds. It is longer than a save
	// takes.
	grace = 5 * 60 * 1000

	// An entry stays this many milliseconds longer than its session, because the clocks of a
	// Cluster's servers differ.
	margin = 60 * 1000

	// maxID is the maximum length of an id, by the contract of driver.Driver.
	maxID = 512
)

// trim starts each script of the index. It removes the entries whose expiry has passed.
var trim = fmt.Sprintf(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function trim(key) redis.call('ZREMRANGEBYSCORE', key, 0, now - %d) end
`, margin)

// add adds a session to the set under a key, or removes its mark. It replaces a value that is not a
// sorted set. The set expires with its latest entry. If the set has lost its time to live, the
// highest score is its latest expiry.
var add = trim + fmt.Sprintf(`
local function add(key, id, expiry)
	local added = redis.pcall('ZADD', key, expiry, id)
	if type(added) == 'table' then
		if string.sub(added.err, 1, 9) ~= 'WRONGTYPE' then return added end
		redis.call('DEL', key)
		redis.call('ZADD', key, expiry, id)
	end
	trim(key)
	local latest, ttl = tonumber(expiry), redis.call('PTTL', key)
	if ttl == -1 then
		local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
		latest = math.max(latest, tonumber(last[2]))
	end
	latest = math.min(latest + %d, %d)
	if ttl < latest - now then redis.call('PEXPIREAT', key, latest) end
	return 1
end
`, margin, int64(maxMillis))

// addScript adds the session with id ARGV[1] and expiry ARGV[2] to a set.
var addScript = newScript(add + `return add(KEYS[1], ARGV[1], ARGV[2])`)

// These scripts save or touch a session and add it to the set KEYS[2], as the id ARGV[4], where
// both keys are on one server. One script costs half of what two do.
var (
	saveUserScript  = newScript(found + mayReplace + add + addFirst + storeIt)
	touchUserScript = newScript(found + mayReplace + add + addFirst + moveIt)
)

const addFirst = `
local added = add(KEYS[2], ARGV[4], ARGV[3])
if type(added) == 'table' then return added end
`

// healScript marks entries without a session, or removes them if they were marked long enough ago.
// ARGV holds the id and the score of each. An entry that has another score by now has been saved,
// touched or marked in the meantime, and stays as it is.
var healScript = newScript(trim + fmt.Sprintf(`
trim(KEYS[1])
for i = 1, #ARGV, 2 do
	local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[i]))
	if score and score == tonumber(ARGV[i + 1]) then
		if score >= 0 or -score > now + %[1]d then
			redis.call('ZADD', KEYS[1], -(now + %[1]d), ARGV[i])
		elseif -score <= now then
			redis.call('ZREM', KEYS[1], ARGV[i])
		end
	end
end
return 1
`, grace))

// userKey returns the key of a user's set.
func (u *users) userKey(user string) string { return u.prefix + userMark + user }

func (u *users) Save(ctx context.Context, rec driver.Record, cond driver.Condition) error {
	cmd, err := u.saving(ctx, rec, cond)
	if err != nil {
		return err
	}
	return u.write(ctx, "save", rec, cmd)
}

func (u *users) Touch(ctx context.Context, rec driver.Record) error {
	return u.write(ctx, "touch", rec, u.touching(ctx, rec))
}

// write sends the command that saves or touches rec, and the one that adds it to the index. Both
// must succeed. The index comes first, so that a server which stops in between has an entry without
// a session, not a session without an entry.
func (u *users) write(ctx context.Context, op string, rec driver.Record, cmd redis.Cmder) error {
	if rec.User == "" {
		return u.outcome(ctx, op, rec.ID, cmd, u.send(ctx, cmd))
	}
	key := u.userKey(rec.User)
	if both := u.inOne(ctx, cmd, key, rec.ID); both != nil {
		var refused redis.Error
		err := u.send(ctx, both)
		if !errors.As(err, &refused) {
			return u.outcome(ctx, op, rec.ID, both, err)
		}
		// Send two commands, so that the error says which of them is refused.
	}
	index := redis.NewIntCmd(ctx, "evalsha", addScript, 1, key, rec.ID, expireAt(rec.Expiry))
	if err := u.sendBoth(ctx, index, cmd); err != nil {
		return u.failure(ctx, op, u.key(rec.ID), err)
	}
	if err := u.outcome(ctx, op, rec.ID, cmd, cmd.Err()); err != nil {
		return err
	}
	return u.failure(ctx, op+": index of users", key, index.Err())
}

// inOne returns the command that does both, given the one that saves or touches the session, or nil
// if the keys may be on two servers, or the command is no script.
func (u *users) inOne(ctx context.Context, cmd redis.Cmder, user, id string) redis.Cmder {
	if _, ok := u.client.(*redis.Client); !ok {
		return nil
	}
	args := cmd.Args()
	if args[0] != "evalsha" {
		return nil
	}
	script := saveUserScript
	if args[1] == touchScript {
		script = touchUserScript
	}
	return redis.NewIntCmd(ctx, "evalsha", script, 2, args[3], user, args[4], args[5], args[6], id)
}

// RangeUser reads the user's set, and the sessions in pipelines, as Range does. While a Cluster
// moves the slot of a set with more than 128 entries, or after a fail-over, it may miss some.
func (u *users) RangeUser(ctx context.Context, user string) iter.Seq2[driver.Record, error] {
	return func(yield func(driver.Record, error) bool) {
		more := func(rec driver.Record) bool { return yield(rec, nil) }
		if err := u.eachOf(ctx, user, more); err != nil {
			yield(driver.Record{}, u.failure(ctx, "range user", u.userKey(user), err))
		}
	}
}

// eachOf calls yield with every record of the user until yield returns false.
func (u *users) eachOf(ctx context.Context, user string, yield func(driver.Record) bool) error {
	size := firstPage
	for cursor := uint64(0); ; {
		var found []string
		err := u.await(ctx, func(ctx context.Context) (err error) {
			found, cursor, err = u.client.ZScan(ctx, u.userKey(user), cursor, "", pageRecords).Result()
			return err
		})
		if err != nil && redis.HasErrorPrefix(err, "WRONGTYPE") {
			err = fmt.Errorf("the user's index is a value of another program: delete its key, which is "+
				"%q and the hash of the user: %w", u.prefix+userMark, err)
		}
		if err != nil {
			return err
		}
		for all := entries(found); len(all) > 0; {
			recs, n, err := u.read(ctx, user, all, &size)
			if err != nil {
				return err
			}
			for _, rec := range recs {
				if err := ctx.Err(); err != nil {
					return err
				}
				if !yield(rec) {
					return nil
				}
			}
			all = all[n:]
		}
		if cursor == 0 {
			return nil
		}
	}
}

// read reads the sessions of the first n entries, as page does. It returns the user's live ones,
// and heals the entries of those that are missing or have another user.
func (u *users) read(
	ctx context.Context, user string, all []entry, size *int,
) (recs []driver.Record, n int, err error) {
	keys := make([]string, min(*size, len(all)))
	for i := range keys {
		keys[i] = u.key(all[i].id)
	}
	gets, err := u.page(ctx, keys, size)
	if err != nil {
		return nil, 0, err
	}
	heal := []any{"evalsha", healScript, 1, u.userKey(user)}
	now := u.now().UnixMilli()
	for i, get := range gets {
		rec, ok := stored(all[i].id, get)
		switch {
		case !ok || rec.User != user:
			if !all[i].waits(now) {
				heal = append(heal, all[i].id, all[i].score)
			}
		case u.live(rec):
			recs = append(recs, rec)
		}
	}
	if len(heal) > 4 {
		// Without an error: if this fails, the entries cost a read until a later attempt.
		_ = u.send(ctx, redis.NewIntCmd(ctx, heal...))
	}
	return recs, len(gets), nil
}

// entry is a member of a user's set with its score, as Redis writes it.
type entry struct{ id, score string }

// waits reports whether an entry without a session is marked and may not be removed yet.
func (e entry) waits(now int64) bool {
	score, err := strconv.ParseFloat(e.score, 64)
	return err == nil && -score > float64(now) && -score <= float64(now+grace)
}

// entries returns the entries in an answer to ZSCAN, which has members and scores in turn. It omits
// members that are too long for an id.
func entries(found []string) []entry {
	all := make([]entry, 0, len(found)/2)
	for ; len(found) >= 2; found = found[2:] {
		if len(found[0]) <= maxID {
			all = append(all, entry{found[0], found[1]})
		}
	}
	return all
}
