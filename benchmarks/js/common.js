// What every JavaScript job shares. A job is `node <job>.js <JSON arguments>`: it prints one JSON line with what it
// measured and stays until stdin closes, so that the runner can read its peak memory.
const crypto = require('crypto')
const net = require('net')
const path = require('path')
const { createRequire } = require('module')

const peer = createRequire(path.join(__dirname, '../../tests/interop/package.json'))
const args = JSON.parse(process.argv[2])
const now = () => Number(process.hrtime.bigint()) / 1e9

async function run(roles) {
  const measured = await roles[args.role]()
  process.stdout.write(JSON.stringify(measured) + '\n')
  process.stdin.resume()
  process.stdin.on('end', () => process.exit(0))
}

async function timed(action) {
  const start = now()
  await action()
  return now() - start
}

// Incompressible blocks, no two alike.
function blocks(size) {
  const pool = Array.from({ length: 64 }, () => crypto.randomBytes(size))
  let n = 0
  return () => {
    const block = Buffer.from(pool[n % pool.length])
    block.writeUInt32LE(n++, 0)
    return block
  }
}

function median(list) {
  const sorted = [...list].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length & 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

function plumb(stream, socket) {
  stream.on('error', () => {})
  socket.on('error', () => {})
  stream.pipe(socket).pipe(stream)
}

function listen(replicate) {
  return new Promise((resolve) => {
    const server = net.createServer({ noDelay: true }, (socket) => plumb(replicate(false), socket))
    server.listen(0, '127.0.0.1', () => resolve(server.address().port))
  })
}

function dial(replicate) {
  const socket = net.connect({ port: args.port, host: '127.0.0.1', noDelay: true })
  plumb(replicate(true), socket)
  return new Promise((resolve) => socket.once('connect', () => resolve(socket)))
}

module.exports = { peer, args, now, run, timed, blocks, median, listen, dial }
