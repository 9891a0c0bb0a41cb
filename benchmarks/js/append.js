// Appends `count` blocks of `size` bytes, `batch` at a time, each batch awaited.
const { peer, args, run, timed, blocks } = require('./common')
const Hypercore = peer('hypercore')

async function solo() {
  const { size, count, batch } = args
  const core = new Hypercore(args.directory)
  await core.ready()
  const next = blocks(size)
  for (let i = 0; i < 8; i++) await core.append(next())
  const seconds = await timed(async () => {
    for (let i = 0; i < count; i += batch) {
      if (batch === 1) await core.append(next())
      else await core.append(Array.from({ length: Math.min(batch, count - i) }, next))
    }
  })
  return { mbPerSecond: (size * count) / 1e6 / seconds, blocksPerSecond: count / seconds }
}

run({ solo })
