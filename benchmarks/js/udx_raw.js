// One raw UDX stream between two processes, 64 KiB writes, nothing on top.
const crypto = require('crypto')
const { peer, args, now, run } = require('./common')
const UDX = peer('udx-native')

const HOST = '127.0.0.1'
const SOURCE = 1
const READER = 2

function open(id, firewall) {
  const udx = new UDX()
  const socket = udx.createSocket()
  socket.bind(0, HOST)
  const stream = udx.createStream(id, { framed: false, firewall })
  stream.on('error', () => {})
  return { socket, stream }
}

async function send(stream, size, count) {
  const block = crypto.randomBytes(size)
  for (let i = 0; i < count; i++) if (!stream.write(block)) await new Promise((resolve) => stream.once('drain', resolve))
}

async function source() {
  const { size, count } = args
  const { socket, stream } = open(SOURCE, (from, port, host) => {
    stream.connect(from, READER, port, host)
    send(stream, size, count)
    return false
  })
  stream.on('data', () => {})
  return { port: socket.address().port }
}

async function reader() {
  const total = args.size * args.count
  const { socket, stream } = open(READER, () => false)
  let left = total
  let began = 0
  const done = new Promise((resolve) => {
    stream.on('data', (data) => {
      began = began || now()
      left -= data.byteLength
      if (left <= 0) resolve(now() - began)
    })
  })
  stream.connect(socket, SOURCE, args.port, HOST)
  stream.write(Buffer.from('ready'))
  return { mbPerSecond: total / 1e6 / (await done) }
}

run({ source, reader })
