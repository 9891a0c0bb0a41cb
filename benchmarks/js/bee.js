// A bee of `count` keys: puts in batches of 1,000, random gets and a full scan here; random gets from a cold reader.
const { peer, args, now, run, timed, median, listen, dial } = require('./common')
const Hypercore = peer('hypercore')
const Hyperbee = peer('hyperbee')

const BATCH = 1000
const STRIDE = 48271 // coprime to every count used, so that puts arrive in no order
const keyOf = (i) => 'key-' + String(i).padStart(8, '0')
const valueOf = (i) => Buffer.from('value-' + i + '-' + 'x'.repeat(39))

let state = 12345
const draw = (n) => (state = (state * 48271) % 0x7fffffff) % n

async function open(key) {
  const core = new Hypercore(args.directory, key)
  const bee = new Hyperbee(core, { keyEncoding: 'utf-8', valueEncoding: 'binary' })
  await bee.ready()
  return { core, bee }
}

async function fill(bee) {
  for (let i = 0; i < args.count; i += BATCH) {
    const batch = bee.batch()
    for (let j = i; j < Math.min(i + BATCH, args.count); j++) {
      await batch.put(keyOf((j * STRIDE) % args.count), valueOf(j))
    }
    await batch.flush()
  }
}

async function getOne(bee) {
  if (!(await bee.get(keyOf(draw(args.count))))) throw new Error('missing')
}

async function scan(bee) {
  let n = 0
  for await (const _ of bee.createReadStream()) n++
  if (n !== args.count) throw new Error('scan saw ' + n)
}

async function solo() {
  const { bee } = await open()
  const putSeconds = await timed(() => fill(bee))
  const getSeconds = await timed(async () => {
    for (let i = 0; i < args.gets; i++) await getOne(bee)
  })
  const scanSeconds = await timed(() => scan(bee))
  return {
    putsPerSecond: args.count / putSeconds,
    getsPerSecond: args.gets / getSeconds,
    scannedPerSecond: args.count / scanSeconds
  }
}

async function source() {
  const { core, bee } = await open()
  await fill(bee)
  return { key: core.key.toString('hex'), port: await listen((initiator) => core.replicate(initiator)) }
}

async function reader() {
  const { core, bee } = await open(Buffer.from(args.key, 'hex'))
  await dial((initiator) => core.replicate(initiator))
  await bee.update({ wait: true })
  const times = []
  for (let i = 0; i < args.gets; i++) {
    const start = now()
    await getOne(bee)
    times.push((now() - start) * 1000)
  }
  return { getMs: median(times), firstGetMs: times[0] }
}

run({ solo, source, reader })
