// Checks that examples/node/sessions.mjs reads the vectors of docs/format.md, and prints how many.
//
//     node vectors.mjs vectors.json
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { json } from './json.mjs'
import { idOf, open, parse, unseal } from './sessions.mjs'

const all = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const bytes = (hex) => Buffer.from(hex, 'hex')
const plain = (v) => JSON.parse(JSON.stringify(v, json))
let read = 0
const same = (got, want) => {
  assert.deepEqual(plain(got), want)
  read++
}

for (const { token, id } of all.ids) same(idOf(token), id)
for (const { value, hash } of all.users) same(idOf(String(value)), hash)
for (const { hex, json: want } of all.values) {
  const session = open(bytes('c1d6ff0000000181a16b' + hex)) // 1970, and a map with the key "k"
  same(session, { deadline: '1970-01-01T00:00:01.000000000Z', values: { k: want } })
}
for (const { hex, deadline, values } of all.sessions) same(open(bytes(hex)), { deadline, values })
for (const { hex, id, key, data } of all.sealed) {
  const keys = all.sealed.map((s) => bytes(s.key))
  same(unseal(bytes(hex), id, keys).toString('hex'), data)
  assert.throws(() => unseal(bytes(hex), id + 'x', keys))
  assert.throws(() => unseal(bytes(hex), id, []))
  assert.throws(() => unseal(bytes(hex), id, keys.filter((k) => !k.equals(bytes(key)))))
  assert.throws(() => unseal(bytes(data), id, keys)) // not sealed
  for (let i = 0; i < hex.length / 2; i++) {
    const forged = bytes(hex)
    forged[i] ^= 1
    assert.throws(() => unseal(forged, id, keys), `byte ${i}`)
  }
}
for (const { hex } of [...all.tombstones, ...all.locks]) same(open(bytes(hex)), null)
for (const { hex, about } of all.refused) {
  assert.throws(() => open(unseal(bytes(hex), '', [])), about)
  read++
}
for (const { hex, ...want } of all.redis) {
  const { version, data, ...rest } = parse(bytes(hex))
  same({ ...rest, version: String(version), data: data.toString('hex') }, want)
  const older = bytes(hex).fill(0, 27, 33) // a save keeps a created that is later
  assert.equal(parse(older).updated, want.created)
}
for (const other of ['', 'x', 'x'.repeat(40), '\xf5'.repeat(32)]) {
  same(parse(Buffer.from(other, 'latin1')), null)
}
console.log(read)
