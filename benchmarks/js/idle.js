// A swarm node that does nothing for `seconds`: joined to one topic as server and client, on a network of `nodes`.
// What its process costs: memory, processor, and UDP bytes in and out.
const crypto = require('crypto')
const { peer, args, now, run } = require('./common')
const DHT = peer('hyperdht')

async function testnet() {
  const net = await peer('hyperdht/testnet')(args.nodes, { host: '127.0.0.1' })
  return { bootstrap: net.bootstrap.map(({ host, port }) => ({ host, port })) }
}

async function node() {
  const dht = new DHT({ bootstrap: args.bootstrap, host: '127.0.0.1', firewalled: false })
  const swarm = new (peer('hyperswarm'))({ dht })
  await swarm.join(crypto.randomBytes(32)).flushed()
  await new Promise((resolve) => setTimeout(resolve, args.settle * 1000))
  const count = () => {
    const { clientSocket, serverSocket } = dht.io
    const sockets = [...new Set([clientSocket, serverSocket])]
    return sockets.reduce((sum, s) => sum + s.bytesReceived + s.bytesTransmitted, 0)
  }
  const [start, cpu, bytes] = [now(), process.cpuUsage(), count()]
  await new Promise((resolve) => setTimeout(resolve, args.seconds * 1000))
  const used = process.cpuUsage(cpu)
  const seconds = now() - start
  return {
    rssMiB: process.memoryUsage.rss() / 1024 / 1024,
    cpuPercent: (used.user + used.system) / 1e4 / seconds,
    bytesPerHour: ((count() - bytes) / seconds) * 3600
  }
}

run({ testnet, node })
