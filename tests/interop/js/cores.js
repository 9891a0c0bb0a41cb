const crypto = require('crypto')
const path = require('path')
const Hypercore = require('hypercore')
const HypercoreV10 = require('hypercore-v10')
const { pattern } = require('./pattern')

const bytes = (hex) => (hex ? Buffer.from(hex, 'hex') : null)

// kind: "store" is a named or remote core of the corestore, "compat" a v11 core whose key is its signer, "v10" a core
// written by hypercore 10.
function openCore(peer, { kind = 'store', name, key, encryptionKey }) {
  const encryption = encryptionKey ? { key: bytes(encryptionKey) } : null
  if (kind === 'store') return peer.store.get({ name, key: bytes(key), encryption })
  const directory = path.join(peer.directory, kind + '-' + (name || key))
  const core =
    kind === 'v10'
      ? new HypercoreV10(directory, bytes(key), { encryptionKey: bytes(encryptionKey) })
      : new Hypercore(directory, bytes(key), { compat: true, encryption })
  peer.addOutside(core)
  return core
}

function info(core) {
  return {
    key: core.key.toString('hex'),
    discoveryKey: core.discoveryKey.toString('hex'),
    length: core.length,
    byteLength: core.byteLength,
    contiguousLength: core.contiguousLength,
    fork: core.fork,
    writable: core.writable,
    peers: core.peers.length
  }
}

async function appendPattern(core, { seed, count, size, batch = 1 }) {
  const start = core.length
  for (let i = 0; i < count; i += batch) {
    const blocks = []
    for (let j = i; j < Math.min(i + batch, count); j++) blocks.push(pattern(seed, start + j, size))
    await core.append(blocks)
  }
  return core.length
}

// The sha256 of the wanted blocks in the order asked for, with at most `parallel` requests in flight.
async function digest(core, { indexes, parallel = 64 }) {
  const hash = crypto.createHash('sha256')
  const flying = []
  let total = 0
  const settle = async () => {
    const block = await flying.shift()
    total += block.byteLength
    hash.update(block)
  }
  for (const index of indexes) {
    flying.push(core.get(index))
    if (flying.length >= parallel) await settle()
  }
  while (flying.length) await settle()
  return { bytes: total, sha256: hash.digest('hex') }
}

// Resolves once the core has at least this length, exactly this fork and this contiguous length, whichever are asked for.
function reach(core, { length = 0, fork = null, contiguous = 0 }) {
  const there = () =>
    core.length >= length && (fork === null || core.fork === fork) && core.contiguousLength >= contiguous
  return new Promise((resolve, reject) => {
    const check = () => {
      if (!there()) return
      for (const event of EVENTS) core.off(event, check)
      core.off('close', closed)
      resolve(info(core))
    }
    const closed = () => reject(new Error('the core closed while it was waited for'))
    for (const event of EVENTS) core.on(event, check)
    core.on('close', closed)
    check()
  })
}
const EVENTS = ['append', 'truncate', 'download']

function coreCommands(peer) {
  const on = (action) => (args) => action(peer.take(args.core), args)
  return {
    'core.open': async (args) => {
      const core = openCore(peer, args)
      await core.ready()
      return { core: peer.keep(core), ...info(core) }
    },
    'core.info': on(info),
    'core.appendPattern': on(appendPattern),
    'core.append': on((core, { blocks }) => core.append(blocks.map((b) => Buffer.from(b, 'base64'))).then(() => core.length)),
    'core.get': on(async (core, { index, wait = true, timeout = 0 }) => {
      const block = await core.get(index, { wait, timeout })
      return block && block.toString('base64')
    }),
    'core.digest': on(digest),
    'core.has': on((core, { start, end }) => core.has(start, end)),
    'core.seek': on((core, { bytes }) => core.seek(bytes)),
    'core.update': on((core, { wait = true }) => core.update({ wait })),
    'core.truncate': on((core, { length, fork }) => core.truncate(length, fork === undefined ? {} : { fork })),
    'core.clear': on((core, { start, end }) => core.clear(start, end).then(() => null)),
    'core.download': on((core, { start, end }) => core.download({ start, end }).done().then(() => info(core))),
    'core.treeHash': on((core) => core.treeHash().then((hash) => hash.toString('hex'))),
    'core.reach': on(reach),
    'core.close': on((core) => core.close())
  }
}

module.exports = { coreCommands, openCore }
