// Raw UDX streams that a test drives: one JSON request per line on stdin, one JSON answer per line on stdout.
//   node udx.js
const crypto = require('crypto')
const UDX = require('udx-native')
const { serve } = require('./rpc')

const udx = new UDX()
const ends = new Map()

// One stream on a socket of its own; what it gets is hashed and counted, and echoed if asked to.
class End {
  constructor(id, { echo = false, firewall = false } = {}) {
    this.socket = udx.createSocket()
    this.socket.bind(0, '127.0.0.1')
    this.hash = crypto.createHash('sha256')
    this.bytes = 0
    this.messages = []
    this.strangers = []
    this.error = null
    this.ended = false
    this.closed = false
    this.waiting = []
    this.stream = udx.createStream(id, { firewall: (socket, port) => this.stranger(port, firewall) })
    this.stream.on('data', (data) => this.take(data, echo))
    this.stream.on('message', (data) => this.told(() => this.messages.push(data.toString())))
    this.stream.on('end', () => this.told(() => { this.ended = true; if (echo) this.stream.end() }))
    this.stream.on('error', (err) => this.told(() => { this.error = err.code || err.message }))
    this.stream.on('close', () => this.told(() => { this.closed = true }))
    this.stream.on('remote-changed', () => this.told(() => { this.changed = true }))
  }

  stranger(port, refuse) {
    this.told(() => this.strangers.push(port))
    return refuse
  }

  take(data, echo) {
    this.told(() => {
      this.hash.update(data)
      this.bytes += data.byteLength
      if (echo) this.stream.write(data)
    })
  }

  told(change) {
    change()
    this.waiting = this.waiting.filter((look) => !look())
  }

  until(condition) {
    if (condition()) return this.state()
    return new Promise((resolve) => this.waiting.push(() => condition() && (resolve(this.state()), true)))
  }

  state() {
    const { bytes, messages, strangers, error, ended, closed, stream } = this
    const { mtu, rtt, cwnd, retransmits } = stream
    const digest = this.hash.copy().digest('hex')
    return { bytes, digest, messages, strangers, error, ended, closed, mtu, rtt, cwnd, retransmits }
  }
}

const pattern = (bytes) => Buffer.alloc(bytes, crypto.createHash('sha256').update('udx').digest())

const commands = {
  open: ({ local, ...options }) => {
    const end = new End(local, options)
    ends.set(local, end)
    return { port: end.socket.address().port }
  },
  connect: ({ local, remoteId, port }) => ends.get(local).stream.connect(ends.get(local).socket, remoteId, port, '127.0.0.1'),
  changeRemote: ({ local, remoteId, port }) => ends.get(local).stream.changeRemote(ends.get(local).socket, remoteId, port, '127.0.0.1'),
  write: async ({ local, bytes, end = false, chunk = 65536 }) => {
    const { stream } = ends.get(local)
    const data = pattern(bytes)
    for (let at = 0; at < bytes; at += chunk) {
      if (!stream.write(data.subarray(at, at + chunk))) await new Promise((resolve) => stream.once('drain', resolve))
    }
    if (end) stream.end()
    return { digest: crypto.createHash('sha256').update(data).digest('hex') }
  },
  message: ({ local, text }) => ends.get(local).stream.send(Buffer.from(text)),
  keepAlive: ({ local, milliseconds }) => ends.get(local).stream.setKeepalive(milliseconds),
  pause: ({ local }) => { ends.get(local).stream.pause() },
  resume: ({ local }) => { ends.get(local).stream.resume() },
  end: ({ local }) => { ends.get(local).stream.end() },
  destroy: ({ local }) => { ends.get(local).stream.destroy() },
  untilBytes: ({ local, bytes }) => ends.get(local).until(() => ends.get(local).bytes >= bytes),
  untilEnded: ({ local }) => ends.get(local).until(() => ends.get(local).ended),
  untilClosed: ({ local }) => ends.get(local).until(() => ends.get(local).closed),
  untilMessages: ({ local, count }) => ends.get(local).until(() => ends.get(local).messages.length >= count),
  untilStranger: ({ local }) => ends.get(local).until(() => ends.get(local).strangers.length > 0),
  state: ({ local }) => ends.get(local).state(),
  exit: () => setTimeout(() => process.exit(0), 10) && null
}

serve(commands)
