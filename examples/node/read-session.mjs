// Prints a session as JSON, or null if there is none. The token comes from the standard input, and
// the keys of sealed records, in base64, from SESSION_KEYS: other users see a program's arguments.
//
//     node read-session.mjs redis://localhost:6379 [PREFIX] <token.txt
//
// If the store has Options.PlainIDs, add the argument --plain-ids.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { createClient } from 'redis'
import { json } from './json.mjs'
import { idOf, readSession } from './sessions.mjs'

const { values: flags, positionals: [url, prefix] } = parseArgs({
  options: { 'plain-ids': { type: 'boolean' } }, allowPositionals: true,
})
const token = readFileSync(0, 'utf8').trim()
const keys = (process.env.SESSION_KEYS ?? '').split(/\s+/).filter(Boolean)
  .map((key) => Buffer.from(key, 'base64'))
const client = await createClient({ url, socket: { reconnectStrategy: false } }).connect()
const id = flags['plain-ids'] ? token : idOf(token)
console.log(JSON.stringify(await readSession(client, id, { prefix, keys }), json))
client.destroy()
