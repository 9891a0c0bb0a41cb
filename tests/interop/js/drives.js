const crypto = require('crypto')
const { once } = require('events')
const Hyperdrive = require('hyperdrive')
const Localdrive = require('localdrive')
const { file } = require('./pattern')

const bytes = (hex) => (hex ? Buffer.from(hex, 'hex') : null)
const now = () => Number(process.hrtime.bigint()) / 1e6

function open(peer, { name, key, encryptionKey }) {
  const store = name ? peer.store.namespace(name) : peer.store.session()
  return new Hyperdrive(store, bytes(key), { encryptionKey: bytes(encryptionKey) })
}

async function info(drive) {
  const blobs = drive.blobs && drive.blobs.core
  return {
    key: drive.key.toString('hex'),
    contentKey: drive.contentKey ? drive.contentKey.toString('hex') : null,
    version: drive.version,
    blobsLength: blobs ? blobs.length : 0,
    blobsByteLength: blobs ? blobs.byteLength : 0
  }
}

async function writeStream(drive, path, chunks, options) {
  const stream = drive.createWriteStream(path, options)
  const closed = once(stream, 'close')
  for (const chunk of chunks) if (!stream.write(chunk)) await Promise.race([once(stream, 'drain'), closed])
  stream.end()
  await closed
}

async function fill(drive, { folder, count, size, seed, batched = false }) {
  const target = batched ? drive.batch() : drive
  for (let i = 0; i < count; i++) {
    await target.put(`${folder}/${String(i).padStart(5, '0')}`, Buffer.concat([...file(`${seed}/${i}`, size)]))
  }
  if (batched) await target.flush()
}

async function readRange(drive, { path, start = 0, length = -1 }) {
  const hash = crypto.createHash('sha256')
  const began = now()
  let total = 0
  let firstByteMs = null
  for await (const data of drive.createReadStream(path, length < 0 ? { start } : { start, length })) {
    firstByteMs ??= now() - began
    total += data.byteLength
    hash.update(data)
  }
  return { bytes: total, sha256: hash.digest('hex'), firstByteMs, totalMs: now() - began }
}

const entryOf = (node) => node && { path: node.key, seq: node.seq, ...node.value }

async function list(drive, { folder = '/' }) {
  const entries = []
  for await (const node of drive.list(folder)) entries.push(entryOf(node))
  return entries
}

async function diff(drive, { version, folder = '/' }) {
  const changes = []
  for await (const { left, right } of drive.diff(version, folder)) changes.push({ left: entryOf(left), right: entryOf(right) })
  return changes
}

async function mirror(from, to) {
  const job = from.mirror(to)
  await job.done()
  return job.count
}

async function reachVersion(drive, { version }) {
  while (drive.version < version) {
    await drive.update({ wait: true })
    if (drive.version < version) await new Promise((resolve) => drive.db.core.once('append', resolve))
  }
  return info(drive)
}

function driveCommands(peer) {
  const on = (action) => (args) => action(peer.take(args.drive), args)
  const kept = async (drive) => {
    await drive.ready()
    return { drive: peer.keep(drive), ...(await info(drive)) }
  }
  return {
    'drive.open': (args) => kept(open(peer, args)),
    'drive.info': on(info),
    'drive.update': on((drive) => drive.update({ wait: true }).then(() => info(drive))),
    'drive.reachVersion': on(reachVersion),
    'drive.put': on((drive, { path, data, ...options }) => drive.put(path, Buffer.from(data, 'base64'), options)),
    'drive.putPattern': on((drive, { path, seed, size, ...options }) => writeStream(drive, path, file(seed, size), options)),
    'drive.fill': on(fill),
    'drive.symlink': on((drive, { path, target }) => drive.symlink(path, target)),
    'drive.del': on((drive, { path }) => drive.del(path)),
    'drive.get': on(async (drive, { path }) => (await drive.get(path))?.toString('base64')),
    'drive.read': on(readRange),
    'drive.readMany': on((drive, { paths }) => Promise.all(paths.map((path) => readRange(drive, { path })))),
    'drive.entry': on(async (drive, { path, follow = false }) => entryOf(await drive.entry(path, { follow }))),
    'drive.list': on(list),
    'drive.diff': on(diff),
    'drive.has': on((drive, { path }) => drive.has(path)),
    'drive.clear': on((drive, { path }) => drive.clear(path).then(() => null)),
    'drive.download': on((drive, { folder = '/' }) => drive.download(folder).done().then(() => info(drive))),
    'drive.checkout': on((drive, { version }) => kept(drive.checkout(version))),
    'drive.mirrorTo': on((drive, { directory }) => mirror(drive, new Localdrive(directory))),
    'drive.mirrorFrom': on((drive, { directory }) => mirror(new Localdrive(directory), drive))
  }
}

module.exports = { driveCommands }
