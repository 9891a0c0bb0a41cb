// One hyperdht node in the laboratory: `boot HOST PORT`, `node HOST PORT BOOTSTRAP`,
// `serve BOOTSTRAP` or `call BOOTSTRAP KEY...`. Says what happens as one JSON line each.
const path = require('path')
const modules = path.join(__dirname, '..', '..', 'interop', 'node_modules')
const DHT = require(path.join(modules, 'hyperdht'))

const GIVE_UP = 60000 // milliseconds after which an attempt that says nothing has failed
const TRIES = 3 // of a pair whose hole could not be punched: after many probes a node rests
const REST = 21000 // milliseconds: a little more than that rest, 20 s

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')
const [role, ...rest] = process.argv.slice(2)

main().catch((error) => { say({ event: 'failed', error: error.stack }); process.exit(1) })

async function main () {
  if (role === 'boot') {
    const node = DHT.bootstrapper(Number(rest[1]), rest[0])
    await node.fullyBootstrapped()
    return say({ event: 'ready' })
  }
  if (role === 'node') {
    const [host, port, bootstrap] = rest
    const node = new DHT({
      bootstrap: [bootstrap], host, port: Number(port), ephemeral: false, firewalled: false
    })
    await node.fullyBootstrapped()
    return say({ event: 'ready' })
  }
  const node = new DHT({ bootstrap: [rest[0]] })
  await node.fullyBootstrapped()
  if (role === 'serve') return serve(node)
  for (const key of rest.slice(1)) say(await reach(node, Buffer.from(key, 'hex')))
  await node.destroy({ force: true })
  process.exit(0)
}

async function serve (node) {
  const server = node.createServer((socket) => {
    socket.on('error', () => {})
    socket.on('end', () => socket.end())
    socket.resume()
  })
  await server.listen()
  say({ event: 'serving', key: server.publicKey.toString('hex') })
}

async function reach (node, key) {
  const errors = []
  while (true) {
    const said = await call(node, key)
    if (!said.error) return { ...said, event: 'reached', errors }
    errors.push(said.error)
    if (errors.length === TRIES || !/HOLEPUNCH/.test(said.error)) {
      return { ...said, event: 'missed', errors }
    }
    await new Promise((resolve) => setTimeout(resolve, REST))
  }
}

function call (node, key) {
  const start = Date.now()
  return new Promise((resolve) => {
    const socket = node.connect(key)
    const timer = setTimeout(() => done('GAVE_UP'), GIVE_UP)
    socket.on('error', (error) => done(error.code || error.message))
    socket.on('open', () => done(null))
    function done (error) {
      clearTimeout(timer)
      resolve({ error, seconds: (Date.now() - start) / 1000 })
      socket.destroy()
    }
  })
}
