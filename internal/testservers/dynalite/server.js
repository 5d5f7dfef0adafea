// Serves the DynamoDB protocol from files, for tests. It wraps dynalite and adds missing features.
//
//     node server.js --listen 127.0.0.1:8000 --dir DIRECTORY
//     node server.js --version
//
// A kill loses no acknowledged write. It differs from DynamoDB: it cannot add an index to an
// existing table, its responses to BatchGetItem hold a tenth of DynamoDB's limit, and it does not
// remove expired items (TTL).
//
// The wrapper reads the whole request before it calls dynalite, because dynalite crashes when a
// client disconnects in the middle of a request. It implements the two operations on TTL settings.
// It responds with an error to UpdateTable with a new index, which dynalite accepts and ignores.
'use strict'

const { EventEmitter } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { parseArgs } = require('node:util')
const dynalite = require('dynalite')
const { name, version } = require('dynalite/package.json')

const maxRequest = 16 << 20 // DynamoDB's own limit

const { values: flags } = parseArgs({
  options: { listen: { type: 'string' }, dir: { type: 'string' }, version: { type: 'boolean' } },
})
if (flags.version) {
  console.log(`${name} ${version}`)
  process.exit()
}
if (!flags.listen || !flags.dir) {
  console.error('server.js: --listen and --dir are required')
  process.exit(2)
}

const server = dynalite({
  path: path.join(flags.dir, 'tables'),
  createTableMs: 0, // as in DynamoDB Local
  updateTableMs: 0,
  deleteTableMs: 0,
})
const [answer] = server.listeners('request') // dynalite's own
server.removeAllListeners('request')
server.keepAliveTimeout = 0 // never close an idle connection, which a client may be about to reuse

server.on('request', async (req, res) => {
  res.setHeader('Server', `${name}/${version}`)
  const body = await read(req)
  if (body === undefined) {
    res.writeHead(413, { Connection: 'close' }).end()
    return
  }
  const [api, operation] = (req.headers['x-amz-target'] ?? '').split('.')
  if (api === 'DynamoDB_20120810' && Object.hasOwn(calls, operation)) {
    const { status, text } = await calls[operation](req, body)
    res.writeHead(status, { 'Content-Type': 'application/x-amz-json-1.0' }).end(text)
  } else {
    pass(req, body, res)
  }
})

// read returns the body of a request, or undefined if it is too long or the client disconnects.
async function read (req) {
  const parts = []
  let size = 0
  try {
    for await (const part of req) {
      size += part.length
      if (size > maxRequest) return undefined
      parts.push(part)
    }
  } catch {
    return undefined
  }
  return Buffer.concat(parts)
}

// pass lets dynalite answer a request that was read completely, and so cannot fail.
function pass ({ method, url, headers }, body, res) {
  const req = Object.assign(new EventEmitter(), { method, url, headers })
  answer(req, res)
  req.emit('data', body)
  req.emit('end')
}

// ask returns dynalite's response to an operation with the headers and body of a request.
function ask (operation, { method, url, headers }, body) {
  headers = { ...headers, 'x-amz-target': `DynamoDB_20120810.${operation}` }
  return new Promise(resolve => {
    const res = { setHeader () {}, end (text) { resolve({ status: this.statusCode, text }) } }
    pass({ method, url, headers }, body, res)
  })
}

// The TTL attributes of tables by table id, since a later table of the same name has none.
const ttlFile = path.join(flags.dir, 'ttl.json')
const ttl = new Map(fs.existsSync(ttlFile) ? JSON.parse(fs.readFileSync(ttlFile, 'utf8')) : [])

function saveTTL () {
  fs.writeFileSync(ttlFile + '.new', JSON.stringify([...ttl]))
  fs.renameSync(ttlFile + '.new', ttlFile)
}

const calls = {
  async DescribeTimeToLive (req, body) {
    const described = await ask('DescribeTable', req, body)
    if (described.status !== 200) return described
    const AttributeName = ttl.get(JSON.parse(described.text).Table.TableId)
    const TimeToLiveStatus = AttributeName === undefined ? 'DISABLED' : 'ENABLED'
    return reply(200, { TimeToLiveDescription: { TimeToLiveStatus, AttributeName } })
  },

  async UpdateTimeToLive (req, body) {
    const described = await ask('DescribeTable', req, body)
    if (described.status !== 200) return described
    const { TableId, TableName, TableStatus } = JSON.parse(described.text).Table
    const { AttributeName, Enabled } = JSON.parse(body).TimeToLiveSpecification ?? {}
    if (typeof AttributeName !== 'string' || !AttributeName || typeof Enabled !== 'boolean') {
      return invalid('TimeToLiveSpecification needs AttributeName and Enabled')
    }
    if (TableStatus !== 'ACTIVE') {
      return reply(400, {
        __type: 'com.amazonaws.dynamodb.v20120810#ResourceInUseException',
        message: `Table is ${TableStatus}: ${TableName}`,
      })
    }
    const current = ttl.get(TableId)
    if (current !== undefined && current !== AttributeName) {
      return invalid('TimeToLive is active on a different AttributeName: ' +
        `current AttributeName is ${current}`)
    }
    if (Enabled === (current !== undefined)) {
      return invalid(`TimeToLive is already ${Enabled ? 'enabled' : 'disabled'}`)
    }
    if (Enabled) ttl.set(TableId, AttributeName)
    else ttl.delete(TableId)
    saveTTL()
    return reply(200, { TimeToLiveSpecification: { AttributeName, Enabled } })
  },

  async UpdateTable (req, body) {
    const updated = await ask('UpdateTable', req, body)
    if (updated.status !== 200) return updated
    const asked = JSON.parse(body).GlobalSecondaryIndexUpdates ?? []
    const there = JSON.parse(updated.text).TableDescription.GlobalSecondaryIndexes ?? []
    const lost = asked.find(({ Create: index }) =>
      index && !there.some(({ IndexName }) => IndexName === index.IndexName))
    return lost ? invalid(`${name} does not add the index ${lost.Create.IndexName}`) : updated
  },
}

function reply (status, body) {
  return { status, text: JSON.stringify(body) }
}

function invalid (message) {
  return reply(400, { __type: 'com.amazon.coral.validate#ValidationException', message })
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close(() => process.exit())
    server.closeAllConnections()
  })
}
const { hostname, port } = new URL(`http://${flags.listen}`)
server.listen(port, hostname)
