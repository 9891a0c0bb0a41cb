const net = require('net')
const path = require('path')
const Corestore = require('corestore')
const SecretStream = require('@hyperswarm/secret-stream')

// One store, the cores that live outside it, and every connection that all of them replicate over.
class Peer {
  constructor(directory) {
    this.directory = directory
    this.store = new Corestore(path.join(directory, 'store'))
    this.outside = []
    this.streams = new Set()
    this.servers = []
    this.handles = new Map()
    this.bytesIn = 0
    this.bytesOut = 0
  }

  keep(object) {
    const handle = this.handles.size + 1
    this.handles.set(handle, object)
    return handle
  }

  take(handle) {
    const object = this.handles.get(handle)
    if (!object) throw new Error('no such handle: ' + handle)
    return object
  }

  addOutside(core) {
    this.outside.push(core)
    for (const stream of this.streams) core.replicate(stream)
  }

  adopt(isInitiator, socket) {
    const stream = new SecretStream(isInitiator, socket)
    this.streams.add(stream)
    stream.on('error', () => {})
    stream.on('close', () => {
      this.streams.delete(stream)
      this.bytesIn += socket.bytesRead
      this.bytesOut += socket.bytesWritten
    })
    stream.socket = socket
    this.store.replicate(stream)
    for (const core of this.outside) core.replicate(stream)
    return stream
  }

  listen({ host = '127.0.0.1' }) {
    return new Promise((resolve, reject) => {
      const server = net.createServer({ noDelay: true }, (socket) => this.adopt(false, socket))
      server.on('error', reject)
      server.listen(0, host, () => resolve({ port: server.address().port }))
      this.servers.push(server)
    })
  }

  async dial({ port, host = '127.0.0.1' }) {
    const stream = this.adopt(true, net.connect({ port, host, noDelay: true }))
    if (!(await stream.opened)) throw new Error('the connection did not open')
    return { remotePublicKey: stream.remotePublicKey.toString('hex') }
  }

  async hangup() {
    const closed = [...this.streams].map((s) => new Promise((resolve) => s.once('close', resolve)))
    for (const stream of this.streams) stream.destroy()
    await Promise.all(closed)
  }

  traffic() {
    let { bytesIn, bytesOut } = this
    for (const { socket } of this.streams) {
      bytesIn += socket.bytesRead
      bytesOut += socket.bytesWritten
    }
    return { connections: this.streams.size, bytesIn, bytesOut }
  }

  async close() {
    for (const server of this.servers) server.close()
    await this.hangup()
    for (const core of this.outside) await core.close()
    await this.store.close()
  }

  commands() {
    return {
      listen: (args) => this.listen(args),
      dial: (args) => this.dial(args),
      hangup: () => this.hangup()
    }
  }
}

module.exports = { Peer }
