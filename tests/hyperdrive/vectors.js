// node vectors.js > drives.json, with hyperdrive 13.3.4 and corestore 7.12.5 beside it (NODE_PATH).
// The operations are those of `operations()` in test_golden.py.
const Corestore = require('corestore'), Hyperdrive = require('hyperdrive'), fs = require('fs'), os = require('os'), path = require('path')
const crypto = require('crypto')
const pattern = (seed, n) => { const out = []; let i = 0, have = 0; while (have < n) { const h = crypto.createHash('sha256').update(seed + ':' + i++).digest(); out.push(h); have += 32 } return Buffer.concat(out).subarray(0, n) }
async function blocks (core) { const out = []; for (let i = 0; i < core.length; i++) out.push(await core.get(i)); return out }
const sha = (list) => { const h = crypto.createHash('sha256'); for (const b of list) { const l = Buffer.alloc(4); l.writeUInt32LE(b.length); h.update(l); h.update(b) } return h.digest('hex') }
async function run (name, opts) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'drv-'))
  const store = new Corestore(dir, { primaryKey: Buffer.alloc(32, 4), unsafe: true })
  const d = new Hyperdrive(store, opts)
  await d.ready()
  await d.put('/notes/a.txt', Buffer.from('kia ora'), { metadata: { by: 'Hine', n: 1, list: [1, 'ā'] } })
  await d.put('run.sh', Buffer.from('#!/bin/sh\n'), { executable: true })
  await d.put('/empty', Buffer.alloc(0))
  await d.put('/big', pattern('big', 200000))
  await d.put('/exact', pattern('exact', 131072))
  await d.symlink('/link', 'notes/a.txt')
  await d.del('/empty')
  await d.del('/nothing')
  const b = d.batch()
  for (let i = 0; i < 40; i++) await b.put('/many/' + i, pattern('many' + i, i * 100))
  await b.del('/many/7')
  await b.flush()
  await d.put('/notes/a.txt', Buffer.from('ka kite'), {})
  const out = { name, key: d.key.toString('hex'), contentKey: d.contentKey.toString('hex'), version: d.version,
    db: (await blocks(d.core)).map(x => x.toString('hex')).slice(0, 12), dbSha256: sha(await blocks(d.core)), blobsSha256: sha(await blocks(d.blobs.core)), blobsLength: d.blobs.core.length, byteLength: d.blobs.core.byteLength,
    dbTree: (await d.core.treeHash()).toString('hex'), blobsTree: (await d.blobs.core.treeHash()).toString('hex') }
  await d.close(); fs.rmSync(dir, { recursive: true })
  return out
}
async function main () {
  console.log(JSON.stringify([await run('plain', {}), await run('private', { encryptionKey: Buffer.alloc(32, 9) })], null, 1))
}
main()
