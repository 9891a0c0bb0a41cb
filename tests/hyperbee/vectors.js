// node vectors.js < scenarios.json > bee.json, with hyperbee 2.27.3 beside it (NODE_PATH).
// The operations are those of `operations()` in test_golden.py; the hashes are over what JavaScript wrote.
const Hypercore = require('hypercore')
const Hyperbee = require('hyperbee')
const crypto = require('crypto')
const fs = require('fs')
const os = require('os')
const path = require('path')

function rng(seed) { let s = seed; return (n) => { s = (Math.imul(s, 1103515245) + 12345) & 0x7fffffff; return (s >>> 8) % n } }

async function run(sc) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bee-exp-'))
  const core = new Hypercore(dir)
  const bee = new Hyperbee(core, { keyEncoding: 'binary', valueEncoding: 'binary', metadata: sc.metadata ? { contentFeed: null } : null })
  await bee.ready()
  const r = rng(sc.seed)
  let done = 0
  const key = () => { const i = r(sc.keys); return Buffer.from((sc.pad ? 'k' + String(i).padStart(sc.pad, '0') : 'k' + i)) }
  async function op(t) {
    const kind = r(100)
    const k = key()
    if (kind < sc.del) return t.del(k)
    const v = Buffer.from('v' + r(1000000) + 'x'.repeat(r(sc.vlen || 20)))
    if (kind >= 100 - (sc.cas || 0)) return t.put(k, v, { cas: (prev, next) => prev.value.length % 2 === 0 })
    return t.put(k, v)
  }
  while (done < sc.ops) {
    const n = sc.batch ? 1 + r(sc.batch) : 1
    if (n === 1) { await op(bee); done++; continue }
    const b = bee.batch()
    for (let i = 0; i < n; i++) { await op(b); done++ }
    await b.flush()
  }
  const h = crypto.createHash('sha256')
  const blocks = []
  for (let i = 0; i < core.length; i++) {
    const b = await core.get(i)
    const l = Buffer.alloc(4); l.writeUInt32LE(b.length); h.update(l); h.update(b)
    blocks.push(b.toString('hex'))
  }
  let entries = 0
  const eh = crypto.createHash('sha256')
  for await (const e of bee.createReadStream()) { entries++; eh.update(e.key); eh.update(e.value); eh.update(String(e.seq)) }
  const out = { ...sc, length: core.length, sha256: h.digest('hex'), entries, entriesSha256: eh.digest('hex') }
  if (sc.full || process.env.FULL) out.blocks = blocks
  await bee.close()
  fs.rmSync(dir, { recursive: true })
  return out
}
async function main() {
  const res = []
  for (const sc of JSON.parse(fs.readFileSync(0))) res.push(await run(sc))
  console.log(JSON.stringify(res, null, 1))
}
main()
