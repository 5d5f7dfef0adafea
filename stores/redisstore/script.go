package redisstore

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Results of the scripts.
const (
	stored  = 1
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
var saveScript = newScript(found + `
if ARGV[1] ~= '' then
	if old == '' then return -1 end
	if string.sub(old, 2, 9) ~= ARGV[1] then return 0 end
end
local value, created = ARGV[2], string.sub(old, 22, 27)
if old ~= '' and created ~= string.sub(value, 22, 27) then
	value = string.sub(value, 1, 21) .. created .. string.sub(value, 28)
end
redis.call('SET', KEYS[1], value, 'PXAT', ARGV[3])
return 1
`)

// touchScript sets the expiry and the seen of a session. ARGV[1] is the version that the stored
// session must have, ARGV[2] expiry and seen as the header holds them, and ARGV[3] the expiry as a
// number.
var touchScript = newScript(found + `
if old == '' then return -1 end
if string.sub(old, 2, 9) ~= ARGV[1] then return 0 end
redis.call('SETRANGE', KEYS[1], 9, ARGV[2])
redis.call('PEXPIREAT', KEYS[1], ARGV[3])
return 1
`)

// script is a script and its hash, which EVALSHA takes.
type script struct {
	*redis.Script
	hash any // a string, converted once: saves one of the 68 allocations of a request that writes
}

func newScript(source string) script {
	s := redis.NewScript(source)
	return script{s, s.Hash()}
}

// run executes a script on the server that holds the key. If the server has not cached the script,
// run sends the source, and the server caches it.
func (s *sessions) run(
	ctx context.Context, script script, key string, a, b []byte, expiry int64,
) (int64, error) {
	cmd := redis.NewIntCmd(ctx, "evalsha", script.hash, 1, key, a, b, expiry)
	err := s.process(ctx, cmd)
	if err == nil {
		return cmd.Val(), nil
	}
	if !redis.HasErrorPrefix(err, "NOSCRIPT") {
		return 0, err
	}
	var n int64
	err = s.await(ctx, func() (err error) {
		n, err = script.Eval(ctx, s.client, []string{key}, a, b, expiry).Int64()
		return err
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
