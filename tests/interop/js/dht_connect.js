// JavaScript DHT nodes, servers and dialled connections that a test drives, one JSON request per line.
//   node dht_connect.js <directory of its store>
const path = require('path')
const c = require('compact-encoding')
const Corestore = require('corestore')
const DHT = require('hyperdht')
const Protomux = require('protomux')
const { pattern } = require('./pattern')
const { serve } = require('./rpc')

const HOST = '127.0.0.1'
const PROTOCOL = 'holdfast/test-echo'

const store = new Corestore(path.join(process.argv[2], 'store'))
const nodes = []
const connections = []

async function first() {
  const node = DHT.bootstrapper(await freePort(), HOST, { host: HOST })
  await node.fullyBootstrapped()
  return keep(node)
}

async function open({ bootstrap, stays = false, firewalled, keepAlive }) {
  const options = { host: HOST, bootstrap }
  if (stays) Object.assign(options, { ephemeral: false, firewalled: false })
  if (firewalled) Object.assign(options, { firewalled, quickFirewall: false })
  if (keepAlive !== undefined) options.connectionKeepAlive = keepAlive
  const node = new DHT(options)
  await node.fullyBootstrapped()
  return keep(node)
}

function keep(node) {
  nodes.push(node)
  return { node: nodes.length - 1, port: node.io.serverSocket.address().port, firewalled: node.firewalled }
}

function freePort() {
  return new Promise((resolve) => {
    const socket = require('dgram').createSocket('udp4')
    socket.bind(0, HOST, () => {
      const { port } = socket.address()
      socket.close(() => resolve(port))
    })
  })
}

// Every connection answers what is said to it, and replicates the store.
function adopt(stream) {
  const it = { stream, answers: [], closed: null, channel: null, message: null }
  it.closing = new Promise((resolve) => stream.once('close', resolve))
  stream.on('error', (err) => (it.closed = err.code || err.message))
  const mux = Protomux.from(stream)
  it.channel = mux.createChannel({ protocol: PROTOCOL })
  it.ask = it.channel.addMessage({ encoding: c.raw, onmessage: (data) => it.say.send(data) })
  it.say = it.channel.addMessage({ encoding: c.raw, onmessage: (data) => it.answers.shift()?.(data) })
  it.channel.open()
  store.replicate(stream)
  connections.push(it)
  return connections.length - 1
}

async function listen({ node, seed, refuse = false }) {
  const server = nodes[node].createServer({ firewall: () => refuse }, adopt)
  await server.listen(DHT.keyPair(Buffer.from(seed, 'hex')))
  return { relays: server.relayAddresses.map(({ host, port }) => [host, port]) }
}

async function connect({ node, key, seed, relays = [] }) {
  const options = { relayAddresses: relays.map(([host, port]) => ({ host, port })) }
  if (seed) options.keyPair = DHT.keyPair(Buffer.from(seed, 'hex'))
  const started = process.hrtime.bigint()
  const stream = nodes[node].connect(Buffer.from(key, 'hex'), options)
  await new Promise((resolve, reject) => {
    stream.once('open', resolve)
    stream.once('error', reject)
  })
  const took = Number(process.hrtime.bigint() - started) / 1e6
  return { connection: adopt(stream), took, port: stream.rawStream.remotePort }
}

async function echo({ connection, size }) {
  const it = connections[connection]
  const sent = Buffer.alloc(size, 7)
  const answer = new Promise((resolve) => it.answers.push(resolve))
  it.ask.send(sent)
  return sent.equals(Buffer.from(await answer))
}

async function write({ count, size }) {
  const core = store.get({ name: 'over the dht' })
  for (let i = 0; i < count; i++) await core.append(pattern('dht', i, size))
  return core.key.toString('hex')
}

async function read({ key, count, size }) {
  const core = store.get({ key: Buffer.from(key, 'hex') })
  for (let i = 0; i < count; i++) {
    if (!pattern('dht', i, size).equals(await core.get(i))) return false
  }
  return true
}

async function hangUp({ connection }) {
  connections[connection].stream.end()
  await connections[connection].closing
}

async function close() {
  for (const { stream } of connections) stream.destroy()
  // By force: the relays to say goodbye to may be gone already.
  for (const node of nodes.reverse()) await node.destroy({ force: true })
  await store.close()
}

serve({
  first,
  open,
  listen,
  connect,
  echo,
  write,
  read,
  hangUp,
  connections: () => connections.map(({ stream, closed }) => ({
    remote: stream.remotePublicKey.toString('hex'),
    open: !stream.destroying,
    closed
  })),
  stats: ({ node }) => nodes[node].stats.punches,
  exit: async () => {
    await close()
    setImmediate(() => process.exit(0))
  }
})
