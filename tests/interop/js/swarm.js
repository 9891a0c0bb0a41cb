// JavaScript hyperswarm peers with one store of drives, and DHT nodes for them to meet through.
//   node swarm.js <directory of its store>
const DHT = require('hyperdht')
const Hyperswarm = require('hyperswarm')
const { Peer } = require('./connections')
const { driveCommands } = require('./drives')
const { serve } = require('./rpc')

const HOST = '127.0.0.1'

const peer = new Peer(process.argv[2])
const nodes = []
const swarms = []

async function node({ bootstrap = null }) {
  const made = bootstrap
    ? new DHT({ host: HOST, bootstrap, ephemeral: false, firewalled: false })
    : DHT.bootstrapper(await freePort(), HOST, { host: HOST })
  await made.fullyBootstrapped()
  nodes.push(made)
  return { port: made.io.serverSocket.address().port }
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

async function swarm({ bootstrap, seed, replicate = true }) {
  const dht = new DHT({ host: HOST, bootstrap })
  const made = new Hyperswarm({ dht, seed: Buffer.from(seed, 'hex') })
  const it = { swarm: made, opened: 0, duplicates: 0, topics: new Map() }
  made.on('connection', (conn) => {
    it.opened++
    conn.on('error', (err) => /duplicate/i.test(err.message) && it.duplicates++)
    if (replicate) peer.store.replicate(conn)
  })
  swarms.push(it)
  return { swarm: swarms.length - 1, key: made.keyPair.publicKey.toString('hex') }
}

const topic = (hex) => Buffer.from(hex, 'hex')

async function join({ swarm, topics, server, client, wait = true }) {
  const it = swarms[swarm]
  const joined = topics.map((hex) => {
    const discovery = it.swarm.join(topic(hex), { server, client })
    it.topics.set(hex, discovery)
    return discovery
  })
  if (wait) await Promise.all(joined.map((discovery) => discovery.flushed()))
}

async function leave({ swarm, topics }) {
  const it = swarms[swarm]
  await Promise.all(topics.map((hex) => it.topics.get(hex).destroy()))
}

function state({ swarm }) {
  const { swarm: made, opened, duplicates } = swarms[swarm]
  const remotes = [...made.connections].map((conn) => conn.remotePublicKey.toString('hex'))
  return { remotes, opened, duplicates, peers: [...made.peers.keys()] }
}

async function close() {
  // By force: the nodes to say goodbye to may be gone already.
  for (const { swarm } of swarms) {
    for (const conn of swarm.connections) conn.destroy()
    await swarm.destroy({ force: true })
  }
  for (const made of nodes.reverse()) await made.destroy({ force: true })
  await peer.close()
}

serve({
  node,
  swarm,
  join,
  leave,
  state,
  joinPeer: ({ swarm, key }) => swarms[swarm].swarm.joinPeer(Buffer.from(key, 'hex')),
  flush: ({ swarm }) => swarms[swarm].swarm.flush(),
  hangUp: ({ swarm }) => { for (const conn of swarms[swarm].swarm.connections) conn.destroy() },
  ...driveCommands(peer),
  exit: async () => {
    await close()
    setImmediate(() => process.exit(0))
  }
})
