// A drive of one big file and `count` small ones, written here; downloaded or read in ranges by another process.
const { once } = require('events')
const { peer, args, now, run, timed, blocks, median, listen, dial } = require('./common')
const Corestore = peer('corestore')
const Hyperdrive = peer('hyperdrive')

const BIG = '/big.bin'
const RANGE = 65536

async function open(key) {
  const store = new Corestore(args.directory)
  const drive = new Hyperdrive(store, key)
  await drive.ready()
  return { store, drive }
}

async function putBig(drive) {
  const next = blocks(65536)
  const stream = drive.createWriteStream(BIG)
  const closed = once(stream, 'close')
  for (let at = 0; at < args.bigBytes; at += 65536) if (!stream.write(next())) await once(stream, 'drain')
  stream.end()
  await closed
}

async function putSmall(target, folder) {
  const next = blocks(args.smallBytes)
  for (let i = 0; i < args.count; i++) await target.put(folder + String(i).padStart(5, '0'), next())
}

async function putBatch(drive) {
  const batch = drive.batch()
  await putSmall(batch, '/batched/')
  await batch.flush()
}

async function put() {
  const { drive } = await open()
  const seconds = await timed(() => ({ big: putBig, small: (d) => putSmall(d, '/small/'), batch: putBatch })[args.what](drive))
  return { mbPerSecond: args.bigBytes / 1e6 / seconds, filesPerSecond: args.count / seconds }
}

async function source() {
  const { store, drive } = await open()
  await putBig(drive)
  if (args.count) {
    await putSmall(drive, '/small/')
    await putBatch(drive)
  }
  return { key: drive.key.toString('hex'), port: await listen((initiator) => store.replicate(initiator)) }
}

async function openRemote() {
  const { store, drive } = await open(Buffer.from(args.key, 'hex'))
  await dial((initiator) => store.replicate(initiator))
  return drive
}

async function download() {
  const drive = await openRemote()
  const seconds = await timed(async () => {
    await drive.update({ wait: true })
    await drive.download('/').done()
  })
  let files = 0
  for await (const entry of drive.list('/')) if (await drive.has(entry.key)) files++
  if (files !== 2 * args.count + 1) throw new Error('downloaded ' + files)
  return { mbPerSecond: (args.bigBytes + 2 * args.count * args.smallBytes) / 1e6 / seconds }
}

async function firstByteMs(drive, start) {
  const began = now()
  let first = 0
  let size = 0
  for await (const data of drive.createReadStream(BIG, { start, length: RANGE })) {
    first ||= (now() - began) * 1000
    size += data.byteLength
  }
  if (size !== RANGE) throw new Error('short read: ' + size)
  return first
}

// Cold: from the moment the connection is there, nothing of the drive is here. Warm: the entry is known, the blocks not.
async function range() {
  const drive = await openRemote()
  const began = now()
  await drive.update({ wait: true })
  const updateMs = (now() - began) * 1000
  const coldMs = await firstByteMs(drive, args.bigBytes / 2 + 1000)
  const step = Math.floor(args.bigBytes / 4 / 20)
  const warm = []
  for (let i = 0; i < 20; i++) warm.push(await firstByteMs(drive, args.bigBytes / 4 + i * step + 1000))
  return { coldMs, warmMs: median(warm), updateMs }
}

run({ put, source, download, range })
