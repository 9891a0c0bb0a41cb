// JavaScript DHT nodes that a test drives: one JSON request per line on stdin, one JSON answer per line on stdout.
//   node dht.js <scratch directory, unused>
const DHT = require('hyperdht')
const { serve } = require('./rpc')

const HOST = '127.0.0.1'
const nodes = []

async function open({ bootstrap = [], ephemeral, firewalled, stays = false }) {
  const options = { host: HOST, bootstrap }
  if (stays) Object.assign(options, { ephemeral: false, firewalled: false })
  if (ephemeral !== undefined) options.ephemeral = ephemeral
  if (firewalled !== undefined) options.firewalled = firewalled
  const node = new DHT(options)
  await node.fullyBootstrapped()
  nodes.push(node)
  return info({ node: nodes.length - 1 })
}

// The first of a network of its own must be told its address: nobody else can say it.
async function first() {
  const node = DHT.bootstrapper(await freePort(), HOST, { host: HOST })
  await node.fullyBootstrapped()
  nodes.push(node)
  return info({ node: nodes.length - 1 })
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

function info({ node }) {
  const it = nodes[node]
  return {
    node,
    port: it.io.serverSocket.address().port,
    ephemeral: it.ephemeral,
    firewalled: it.firewalled,
    known: it.nodes.length,
    remote: it.remoteAddress(),
    answered: it.stats.requests.responses
  }
}

// What a node does by itself after twenty minutes: whether it is reached from outside, and then stays.
async function settle({ node }) {
  await nodes[node]._updateNetworkState(false)
  return info({ node })
}

const keys = (seed) => DHT.keyPair(Buffer.from(seed, 'hex'))
const hex = (buffer) => (buffer ? Buffer.from(buffer).toString('hex') : null)
const bytes = (text) => Buffer.from(text, 'hex')

function peerOf({ publicKey, relayAddresses }) {
  return { key: hex(publicKey), relays: relayAddresses.map(({ host, port }) => [host, port]) }
}

async function announce({ node, topic, seed, relays = [] }) {
  const addresses = relays.map(([host, port]) => ({ host, port }))
  const query = nodes[node].announce(bytes(topic), keys(seed), addresses)
  await query.finished()
  return query.closestReplies.length
}

async function lookup({ node, topic }) {
  const found = []
  for await (const { from, peers } of nodes[node].lookup(bytes(topic))) {
    found.push({ from: from.port, peers: peers.map(peerOf) })
  }
  return found
}

async function findPeer({ node, key }) {
  const found = []
  for await (const { from, peer } of nodes[node].findPeer(bytes(key))) {
    found.push({ from: from.port, peer: peerOf(peer) })
  }
  return found
}

async function mutableGet({ node, key, seq = 0 }) {
  const found = await nodes[node].mutableGet(bytes(key), { seq })
  return found && { seq: found.seq, value: hex(found.value) }
}

async function close() {
  for (const node of nodes.reverse()) await node.destroy({ force: true })
}

serve({
  open,
  first,
  info,
  settle,
  announce,
  lookup,
  findPeer,
  mutableGet,
  unannounce: ({ node, topic, seed }) => nodes[node].unannounce(bytes(topic), keys(seed)).then(() => null),
  immutablePut: async ({ node, value }) => hex((await nodes[node].immutablePut(bytes(value))).hash),
  immutableGet: async ({ node, target }) => hex((await nodes[node].immutableGet(bytes(target)))?.value),
  mutablePut: async ({ node, seed, value, seq }) => {
    const { closestNodes } = await nodes[node].mutablePut(keys(seed), bytes(value), { seq })
    return closestNodes.length
  },
  ping: async ({ node, port }) => (await nodes[node].ping({ host: HOST, port })).rtt,
  delayedPing: async ({ node, port, delay }) => (await nodes[node].delayedPing({ host: HOST, port }, delay)).rtt,
  exit: async () => {
    await close()
    setImmediate(() => process.exit(0))
  }
})
