package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Results of the scripts.
const (
	changed = 0 // the session has another version
	missing = -1
)

// found starts each script. It sets old to the first 98 bytes of the value, which include the
// header and the user, or to the empty string if the key does not hold a session. If Redis refuses
// the read, for example because of an ACL, the script returns that error.
const found = `
local old = redis.pcall('GETRANGE', KEYS[1], 0, 97)
if type(old) ~= 'string' then
	if string.sub(old.err, 1, 9) ~= 'WRONGTYPE' then return old end
	old = ''
end
local format, user = string.sub(old, 1, 1), string.byte(old, 34) or 65
if #old < 33 or format ~= '\245' and (format ~= '\246' or user > 64 or #old < 34 + user) then
	old = ''
end
`

// saveScript stores a session. ARGV[1] is the version that the stored session must have, or empty
// to store in any case. ARGV[2] is the value, and ARGV[3] the time at which the key expires. The
// script keeps the created of a stored session.
var saveScript = newScript(found + mayReplace + storeIt)

// mayReplace ends the script if the stored session does not have the version ARGV[1].
const mayReplace = `
if ARGV[1] ~= '' then
	if old == '' then return -1 end
	if string.sub(old, 2, 9) ~= ARGV[1] then return 0 end
end
`

const storeIt = `
local value, created = ARGV[2], string.sub(old, 22, 27)
if old ~= '' and created ~= string.sub(value, 22, 27) then
	value = string.sub(value, 1, 21) .. created .. string.sub(value, 28)
end
redis.call('SET', KEYS[1], value, 'PXAT', ARGV[3])
return 1
`

// touchScript sets the expiry and the seen of a session. ARGV[1] is the version that the stored
// session must have, ARGV[2] expiry and seen as the header holds them, and ARGV[3] the expiry as a
// number.
var touchScript = newScript(found + mayReplace + moveIt)

const moveIt = `
redis.call('SETRANGE', KEYS[1], 9, ARGV[2])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
return 1
`

// deleteScript removes a session. ARGV[1] is the version that the stored session must have.
var deleteScript = newScript(found + `
if old == '' then return -1 end
if string.sub(old, 2, 9) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
return 1
`)

// sources holds the scripts by their hashes.
var sources = make(map[any]string)

// newScript returns the hash of a script, which EVALSHA takes. It is an interface value already,
// which saves one of the 68 allocations of a request that writes.
func newScript(source string) any {
	var hash any = redis.NewScript(source).Hash()
	sources[hash] = source
	return hash
}

// evalsha returns the command that runs a script on the server that holds the key.
func evalsha(ctx context.Context, script any, key string, a, b any, expiry int64) *redis.IntCmd {
	return redis.NewIntCmd(ctx, "evalsha", script, 1, key, a, b, expiry)
}

// send sends a command. If the command is a script that the server has not cached, send sends the
// source, and the server caches it.
func (s *sessions) send(ctx context.Context, cmd redis.Cmder) error {
	err := s.process(ctx, cmd)
	if !notCached(err) {
		return err
	}
	withSource(cmd)
	return s.process(ctx, cmd)
}

// sendBoth is send for two commands in one round trip. Each of them then has its own error, as
// after exec.
func (s *sessions) sendBoth(ctx context.Context, a, b redis.Cmder) error {
	err := s.exec(ctx, a, b)
	if err != nil {
		return err
	}
	switch {
	case notCached(a.Err()) && notCached(b.Err()):
		withSource(a)
		withSource(b)
		return s.exec(ctx, a, b)
	case notCached(a.Err()):
		withSource(a)
		return s.exec(ctx, a)
	case notCached(b.Err()):
		withSource(b)
		return s.exec(ctx, b)
	}
	return nil
}

// notCached reports whether a command failed because the server has not cached the script.
func notCached(err error) bool { return err != nil && redis.HasErrorPrefix(err, "NOSCRIPT") }

// withSource turns an EVALSHA that has failed into an EVAL.
func withSource(cmd redis.Cmder) {
	args := cmd.Args()
	args[0], args[1] = "eval", sources[args[1]]
	cmd.SetErr(nil)
}
