// One core of `count` blocks, downloaded whole by a second process over TCP.
const { peer, args, run, timed, blocks, listen, dial } = require('./common')
const Hypercore = peer('hypercore')

async function source() {
  const { size, count } = args
  const core = new Hypercore(args.directory)
  await core.ready()
  const next = blocks(size)
  const batch = size > 1024 ? 16 : 1000
  for (let i = 0; i < count; i += batch) await core.append(Array.from({ length: Math.min(batch, count - i) }, next))
  return { key: core.key.toString('hex'), port: await listen((initiator) => core.replicate(initiator)) }
}

async function reader() {
  const { size, count } = args
  const core = new Hypercore(args.directory, Buffer.from(args.key, 'hex'))
  await core.ready()
  await dial((initiator) => core.replicate(initiator))
  const seconds = await timed(() => core.download({ start: 0, end: count }).done())
  if (core.contiguousLength !== count) throw new Error('incomplete: ' + core.contiguousLength)
  return { mbPerSecond: (size * count) / 1e6 / seconds, blocksPerSecond: count / seconds }
}

run({ source, reader })
