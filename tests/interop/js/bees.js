const Hyperbee = require('hyperbee')
const { openCore } = require('./cores')

function open(peer, args) {
  return new Hyperbee(openCore(peer, args), { keyEncoding: 'utf-8', valueEncoding: 'utf-8' })
}

const pair = (node) => node && [node.key, node.value]

async function collect(stream, shape) {
  const list = []
  for await (const item of stream) list.push(shape(item))
  return list
}

// ops: [["put", key, value], ["del", key], ...], written in batches of `batch`, each one block per operation.
async function apply(bee, { ops, batch = 1 }) {
  for (let i = 0; i < ops.length; i += batch) {
    const writer = bee.batch()
    for (const [verb, key, value] of ops.slice(i, i + batch)) await writer[verb](key, value)
    await writer.flush()
  }
  return { version: bee.version }
}

function beeCommands(peer) {
  const on = (action) => (args) => action(peer.take(args.bee), args)
  const kept = async (bee) => {
    await bee.ready()
    return { bee: peer.keep(bee), key: bee.core.key.toString('hex'), version: bee.version }
  }
  return {
    'bee.open': (args) => kept(open(peer, args)),
    'bee.info': on((bee) => ({ version: bee.version, length: bee.core.length, fork: bee.core.fork })),
    'bee.update': on((bee) => bee.update({ wait: true }).then(() => ({ version: bee.version }))),
    'bee.apply': on(apply),
    'bee.get': on(async (bee, { key }) => pair(await bee.get(key))),
    'bee.getMany': on((bee, { keys }) => Promise.all(keys.map(async (key) => (await bee.get(key))?.value ?? null))),
    'bee.list': on((bee, { range = {}, reverse = false, limit = -1 }) =>
      collect(bee.createReadStream(range, { reverse, limit }), pair)
    ),
    'bee.history': on((bee, { reverse = false, limit = -1 }) =>
      collect(bee.createHistoryStream({ reverse, limit }), (n) => [n.type, n.seq, n.key, n.value])
    ),
    'bee.diff': on((bee, { version, range = {} }) =>
      collect(bee.createDiffStream(version, range), ({ left, right }) => ({ left: pair(left), right: pair(right) }))
    ),
    'bee.checkout': on((bee, { version }) => kept(bee.checkout(version)))
  }
}

module.exports = { beeCommands }
