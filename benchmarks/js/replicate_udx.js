// One core of `count` blocks, downloaded whole by a second process over the DHT's own connections (UDX). What is timed
// begins when they are connected.
const { peer, args, run, timed, blocks } = require('./common')
const Hypercore = peer('hypercore')
const DHT = peer('hyperdht')

const make = () => new DHT({ bootstrap: args.bootstrap, host: '127.0.0.1' })

async function testnet() {
  const net = await peer('hyperdht/testnet')(args.nodes, { host: '127.0.0.1' })
  return { bootstrap: net.bootstrap.map(({ host, port }) => ({ host, port })) }
}

async function source() {
  const { size, count } = args
  const core = new Hypercore(args.directory)
  await core.ready()
  const next = blocks(size)
  const batch = size > 1024 ? 16 : 1000
  for (let i = 0; i < count; i += batch) await core.append(Array.from({ length: Math.min(batch, count - i) }, next))
  const server = make().createServer((connection) => {
    connection.on('error', () => {})
    core.replicate(connection)
  })
  await server.listen()
  return { bootstrap: args.bootstrap, key: core.key.toString('hex'), server: server.publicKey.toString('hex') }
}

async function reader() {
  const { size, count } = args
  const core = new Hypercore(args.directory, Buffer.from(args.key, 'hex'))
  await core.ready()
  const connection = make().connect(Buffer.from(args.server, 'hex'))
  connection.on('error', () => {})
  await new Promise((resolve) => connection.once('open', resolve))
  core.replicate(connection)
  const seconds = await timed(() => core.download({ start: 0, end: count }).done())
  if (core.contiguousLength !== count) throw new Error('incomplete: ' + core.contiguousLength)
  return { mbPerSecond: (size * count) / 1e6 / seconds, blocksPerSecond: count / seconds }
}

run({ testnet, source, reader })
