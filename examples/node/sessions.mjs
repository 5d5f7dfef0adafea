// Reads sessions that scskit has stored in Redis, as docs/format.md describes them.
import { createDecipheriv, createHash } from 'node:crypto'
import { decode, decodeMulti, ExtensionCodec } from '@msgpack/msgpack'
import { RESP_TYPES } from 'redis'

const fail = (why) => { throw new Error(why) }
const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), createHash('sha256')).digest()
export const idOf = (token) => sha256(token).toString('base64url')

// Values that JSON has no type for become objects whose first key begins with "$".
const hex = (b) => Buffer.from(b).toString('hex')
const unsigned = (b) => BigInt('0x' + hex(b))
const signed = (b) => BigInt.asIntN(8 * b.length, unsigned(b))
const time = (seconds, nanos = 0n) => new Date(Number(seconds) * 1000).toISOString()
  .replace('.000Z', `.${String(nanos).padStart(9, '0')}Z`)
const timestamp = (b) => b.length === 4 ? time(unsigned(b))
  : b.length === 8 ? time(unsigned(b) & 0x3ffffffffn, unsigned(b) >> 34n)
  : time(signed(b.subarray(4)), unsigned(b.subarray(0, 4)))
const nils = ['[]byte', '[]string', '[]any', 'map[string]any', 'map[string]string']
const integers = ['int8', 'int16', 'int32', 'int64',
  'uint', 'uint8', 'uint16', 'uint32', 'uint64', 'duration']
const extensionCodec = new ExtensionCodec() // returns extensions above 30 as ExtData
const register = (type, decode) => extensionCodec.register({ type, decode, encode: () => null })
register(-1, (b) => ({ $time: timestamp(b) }))
integers.forEach((name, i) => register(16 + i,
  (b) => ({ [`$${name}`]: String(name.startsWith('uint') ? unsigned(b) : signed(b)) })))
register(26, (b) => ({ $time: time(signed(b.subarray(0, 8)), unsigned(b.subarray(8, 12))),
  offset: Number(signed(b.subarray(12))) }))
register(27, (b) => ({ $nil: nils[b[0]] ?? fail('an unknown nil') }))
register(28, (b) => ({ $strings: decode(b) }))
register(29, (b) => ({ $stringMap: decode(b) }))
register(30, (b) => ({ $gob: hex(b) }))

// parse returns the parts of the value of a Redis key, or null if that is no record.
export function parse(value) {
  if (value.length < 33 || (value[0] !== 0xf5 && value[0] !== 0xf6)) return null
  const end = value[0] === 0xf6 ? 34 + value[33] : 33
  const ms = (at) => value.readUIntBE(at, 6)
  return { version: value.readBigInt64BE(1), expiry: ms(9), seen: ms(15), created: ms(21),
    updated: Math.max(ms(27), ms(21)), user: value.toString('latin1', 34, end),
    data: value.subarray(end) }
}

// unseal returns the data of a record. If there are keys, it must be sealed under one of them.
export function unseal(data, id, keys) {
  if (data[0] !== 0xc1 || data[1] !== 0x53) return keys.length ? fail('not sealed') : data
  if (data[2] !== 1 || data.length < 35) fail('damaged, or of a newer version')
  const isKey = (k) => sha256('scskit key id ', k).subarray(0, 4).equals(data.subarray(3, 7))
  const key = keys.find(isKey) ?? fail('sealed under another key')
  const gcm = createDecipheriv('aes-256-gcm', key, data.subarray(7, 19), { authTagLength: 16 })
  gcm.setAAD(Buffer.from('scskit record 1 ' + id)).setAuthTag(data.subarray(-16))
  return Buffer.concat([gcm.update(data.subarray(19, -16)), gcm.final()])
}

// open returns the deadline and the values of a session, or null for a tombstone or a lock.
export function open(data) {
  if (data.toString('latin1', 0, 9) === '\0scskit: ') return null
  if (data[0] !== 0xc1) fail('not in the format of scskit.Codec')
  if (data[1] < 0x80) fail('of a newer version')
  const options = { extensionCodec, useBigInt64: true }
  const [deadline, values, ...rest] = decodeMulti(Uint8Array.from(data.subarray(1)), options)
  if (!deadline?.$time || typeof values !== 'object' || rest.length) fail('damaged')
  return { deadline: deadline.$time, values }
}

// readSession returns the live session with the id, which is idOf(token), or null.
export async function readSession(client, id, { prefix = 'scs:session:', keys = [] } = {}) {
  const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
  const value = await binary.get(prefix + id)
  const { data, ...record } = (value && parse(value)) ?? {}
  if (!data || record.expiry <= Date.now()) return null
  const session = open(unseal(data, id, keys))
  if (!session || Date.parse(session.deadline) <= Date.now()) return null
  return { id, ...record, ...session }
}
