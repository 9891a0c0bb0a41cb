// A network of `nodes` in one process, a server in a second; a third measures with fresh clients, `rounds` of them: the
// median time of bootstrapping, of a whole lookup, of finding a peer by key and connecting, of one echo over it, and of
// small values put and got.
const crypto = require('crypto')
const { peer, args, now, run, median } = require('./common')
const DHT = peer('hyperdht')

const make = () => new DHT({ bootstrap: args.bootstrap, host: '127.0.0.1' })

async function testnet() {
  const net = await peer('hyperdht/testnet')(args.nodes, { host: '127.0.0.1', bootstrap: args.bootstrap })
  return { bootstrap: net.bootstrap.map(({ host, port }) => ({ host, port })) }
}

async function server() {
  const node = make()
  const server = node.createServer((c) => c.on('error', () => {}).on('data', (d) => c.write(d)))
  await server.listen()
  const topic = crypto.randomBytes(32)
  await node.announce(topic, node.defaultKeyPair).finished()
  return { bootstrap: args.bootstrap, key: server.publicKey.toString('hex'), topic: topic.toString('hex') }
}

async function opened(connection) {
  connection.on('error', () => {})
  await new Promise((resolve, reject) => {
    connection.once('open', resolve).once('error', reject)
    connection.once('close', () => reject(new Error('closed')))
  })
}

async function client() {
  const times = {}
  const time = async (name, action) => {
    const start = now()
    const result = await action()
    ;(times[name] ??= []).push((now() - start) * 1000)
    return result
  }
  const topic = Buffer.from(args.topic, 'hex')
  for (let i = 0; i < args.rounds; i++) {
    const node = make()
    await time('bootstrapMs', () => node.fullyBootstrapped())
    const found = await time('lookupMs', async () => {
      let peers = 0
      for await (const reply of node.lookup(topic)) peers += reply.peers.length
      return peers
    })
    if (!found) throw new Error('the topic was not found')
    const connection = node.connect(Buffer.from(args.key, 'hex'))
    await time('connectMs', () => opened(connection))
    await time('echoMs', () => new Promise((resolve) => connection.once('data', resolve).write('x')))
    connection.destroy()
    const value = crypto.randomBytes(200)
    const { hash } = await time('putMs', () => node.immutablePut(value))
    const got = await time('getMs', () => node.immutableGet(hash))
    if (!got || !value.equals(got.value)) throw new Error('the value was not found')
    await node.destroy()
  }
  return Object.fromEntries(Object.entries(times).map(([name, list]) => [name, median(list)]))
}

// Each by a fresh client, of a topic that another one has announced.
async function lookups() {
  const ms = []
  const announcer = make()
  await announcer.fullyBootstrapped()
  for (let i = 0; i < args.rounds; i++) {
    const topic = crypto.randomBytes(32)
    await announcer.announce(topic, announcer.defaultKeyPair).finished()
    const node = make()
    await node.fullyBootstrapped()
    const start = now()
    for await (const reply of node.lookup(topic)) if (!reply) throw new Error('no reply')
    ms.push((now() - start) * 1000)
    await node.destroy()
  }
  return { ms }
}

run({ testnet, server, client, lookups })
