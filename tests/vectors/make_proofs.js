// Records what JavaScript Hypercore answers, learns and signs, for tests/hypercore/test_against_javascript.py.
//
//   NODE_PATH=tests/interop/node_modules node tests/vectors/make_proofs.js tests/vectors/proofs.json.gz
//
// Made with hypercore 11.37.1. Its byte offsets are NaN behind the first root of a tree (a size is taken
// for a node), so that it proves no seek there; the hook below repairs that one line before recording.

const Module = require('module')
const compile = Module._extensions['.js']
Module._extensions['.js'] = function (module, filename) {
  if (filename.endsWith('hypercore/lib/merkle-tree.js')) {
    const original = module._compile
    module._compile = (text, name) => {
      const line = /(if \(index >= head\) \{\s+promises\.push\()node\.size\)/
      if (!line.test(text)) throw new Error('the line to repair is not there any more')
      return original.call(module, text.replace(line, '$1node)'), name)
    }
  }
  compile(module, filename)
}

const Hypercore = require('hypercore')
const { MerkleTree } = require('hypercore/lib/merkle-tree.js')
const m = require('hypercore/lib/messages')
const Verifier = require('hypercore/lib/verifier')
const multisig = require('hypercore/lib/multisig')
const crypto = require('hypercore-crypto')
const c = require('compact-encoding')
const flat = require('flat-tree')
const b4a = require('b4a')
const fs = require('fs')
const zlib = require('zlib')
const os = require('os')
const path = require('path')

let seed = 12345
function rnd () { seed |= 0; seed = seed + 0x6D2B79F5 | 0; let t = Math.imul(seed ^ seed >>> 15, 1 | seed); t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t; return ((t ^ t >>> 14) >>> 0) / 4294967296 }
const int = n => Math.floor(rnd() * n)
const pick = a => a[int(a.length)]

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'fx-'))
let n = 0
const dir = () => path.join(root, 'c' + n++)
const kp = s => crypto.keyPair(b4a.alloc(32, s))

// content of block i: size depends on i and minimum, bytes on i and tag
function block (i, min, tag) { return b4a.alloc(min + (i * 7 + tag * 13) % 23, (i * 31 + tag * 101) & 255) }

async function rawProof (state, req) {
  const rx = state.storage.read()
  let p
  try { p = await MerkleTree.proof(state, rx, req) } catch (err) { rx.destroy(); throw err }
  rx.tryFlush()
  return p.settle()
}
function cleanReq (r) { return { block: r.block ? { ...r.block } : null, hash: r.hash ? { ...r.hash } : null, seek: r.seek ? { ...r.seek } : null, upgrade: r.upgrade ? { ...r.upgrade } : null } }

async function answer (core, req) {
  let p
  try {
    p = await rawProof(core.core.state, cleanReq(req))
  } catch (err) {
    return { err }
  }
  if (p.block) p.block.value = await core.get(p.block.index, { wait: false, raw: true })
  if (p.block && !p.block.value) return { err: new Error('no block') }
  const buf = c.encode(m.wire.data, { request: 1, ...p })
  return { p, buf, digest: b4a.toString(crypto.hash(buf).subarray(0, 8), 'hex') }
}
// compact request: [block index, nodes]|0 ...
function pack (r) {
  return [r.block ? [r.block.index, r.block.nodes] : 0, r.hash ? [r.hash.index, r.hash.nodes] : 0, r.seek ? [r.seek.bytes, r.seek.padding] : 0, r.upgrade ? [r.upgrade.start, r.upgrade.length] : 0]
}

function levels (index, head) { let k = 0; const it = flat.iterator(index); for (;;) { it.parent(); if (it.contains(head)) return k; k++ } }
function randomRequest (len, bytes, wild) {
  const r = {}
  if (rnd() < 0.6) {
    const start = pick([0, 0, int(len), int(len)])
    r.upgrade = { start, length: 1 + int(len - start) }
  }
  const head = 2 * (r.upgrade ? r.upgrade.start + r.upgrade.length : len)
  const below = r.upgrade ? r.upgrade.start : len // blocks the reader knows
  const inside = r.upgrade && (below === 0 || rnd() < 0.5)
  const kind = int(3)
  if (kind === 0 && (below || inside)) {
    const index = inside ? below + int(head / 2 - below) : int(below)
    r.block = { index, nodes: inside ? int(2) : int(levels(2 * index, head) + 1) }
  } else if (kind === 1 && (below || inside)) {
    for (let t = 0; t < 20; t++) {
      const index = inside ? 2 * below + int(head - 2 * below) : int(2 * below)
      if (flat.rightSpan(index) >= (inside ? head : 2 * below)) continue
      r.hash = { index, nodes: inside ? int(2) : int(levels(index, head) + 1) }
      break
    }
  }
  const padding = bytes >= 9 * len ? pick([0, 8, 3]) : 0
  const t = r.block ? 2 * r.block.index : r.hash ? r.hash.index : -1
  if (rnd() < 0.6 && !(inside && t >= 0)) {
    let lo = 0; let hi = bytes - padding * len
    if (t >= 0) { // somewhere under the node that the reader trusts
      const it = flat.iterator(t)
      for (let k = 0; k < (r.block || r.hash).nodes; k++) it.parent()
      lo = off(len, flat.leftSpan(it.index) / 2, padding, bytes); hi = off(len, flat.rightSpan(it.index) / 2 + 1, padding, bytes)
    }
    r.seek = { bytes: lo + int(hi - lo + (rnd() < 0.1 ? 2 : 0)), padding }
    if (rnd() < 0.2) r.seek.bytes = off(len, pick([0, int(len), len]), padding, bytes)
  }
  if (wild) { // break one number
    const part = pick(Object.keys(r)); const f = part && pick(Object.keys(r[part]))
    if (f) r[part][f] = Math.max(0, r[part][f] + pick([-1, 1, 2, 5, 40]))
  }
  return r
}
let mins = 0; let tagg = 0
function off (len, i, padding) { let s = 0; for (let j = 0; j < i; j++) s += block(j, mins, tagg).byteLength - padding; return s }
async function sectionAnswers () {
  const out = []
  for (const [min, tag, lens, per] of [[0, 1, [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 17, 21, 31, 32, 33, 40], 45], [9, 2, [1, 3, 5, 10, 15, 25, 50, 64, 70, 100, 127], 60]]) {
    const k = kp(tag)
    mins = min; tagg = tag
    const core = new Hypercore(dir(), { keyPair: k })
    await core.ready()
    for (const len of lens) {
      const batch = []
      for (let i = core.length; i < len; i++) batch.push(block(i, min, tag))
      await core.append(batch)
      const cases = []
      for (let j = 0; j < per; j++) {
        const r = randomRequest(len, core.byteLength, j % 4 === 0)
        if (!Object.keys(r).length) continue
        const a = await answer(core, r)
        cases.push([...pack(r), a.digest || null])
      }
      out.push({ min, tag, length: len, cases })
    }
    core.close().catch(() => {})
  }
  return out
}

async function known (core) {
  let s = ''
  const len = core.core.state.length
  for (let i = 0; i < 2 * len; i++) s += (await MerkleTree.get(core.core.state, i)) ? '1' : '0'
  return s
}

// A reader that evolves: real missingNodes / seeks, verified by the JavaScript reader.
async function readerSession (min, tag, total, ops) {
  const k = kp(tag)
  const w = new Hypercore(dir(), { keyPair: k }); await w.ready()
  const r = new Hypercore(dir(), w.key); await r.ready()
  let manifest = w.core.header.manifest
  const log = []
  const grow = async (to) => { const b = []; for (let i = w.length; i < to; i++) b.push(block(i, min, tag)); await w.append(b); log.push(['append', to]) }
  await grow(1 + int(total))
  for (let o = 0; o < ops; o++) {
    const st = r.core.state
    const len = st.length
    if (rnd() < 0.15 && w.length < total) await grow(Math.min(total, w.length + 1 + int(9)))
    const req = {}
    const canUp = len < w.length
    const padding = min >= 8 ? pick([0, 8]) : 0
    const x = rnd()
    if (len === 0 || (canUp && x < 0.35)) {
      req.upgrade = { start: len, length: 1 + int(w.length - len) }
      if (rnd() < 0.5) { // block inside the upgrade
        req.block = { index: len + int(req.upgrade.length), nodes: 0 }
      } else if (len > 0 && rnd() < 0.5) {
        const i = int(len)
        req.block = { index: i, nodes: await MerkleTree.missingNodes(st, 2 * i, len) }
      } else if (rnd() < 0.6) {
        req.seek = { bytes: st.byteLength - padding * len + int(30), padding }
      }
    } else if (x < 0.65) {
      const i = int(len)
      req.block = { index: i, nodes: await MerkleTree.missingNodes(st, 2 * i, len) }
    } else if (x < 0.8) {
      const i = int(2 * len - 1)
      if (flat.rightSpan(i) >= 2 * len) continue
      req.hash = { index: i, nodes: await MerkleTree.missingNodes(st, i, len) }
    } else {
      const bytes = int(st.byteLength - padding * len)
      const s = MerkleTree.seek(st, bytes, padding)
      const res = await s.update()
      log.push(['seek', bytes, padding, res, s.start, s.end])
      if (res) continue
      const index = s.start + int(s.end - s.start)
      req.seek = { bytes, padding }
      req.hash = { index: 2 * index, nodes: flat.depth(s.start + s.end - 1) }
    }
    const a = await answer(w, req)
    if (a.err) { throw a.err }
    const decoded = c.decode(m.wire.data, a.buf)
    decoded.manifest = len === 0 ? manifest : null
    const ok = await r.core.verify(decoded)
    log.push(['get', ...pack(req), a.digest, ok, r.core.state.length])
  }
  const end = { length: r.core.state.length, byteLength: r.core.state.byteLength, known: await known(r) }
  w.close(); r.close()
  return { min, tag, log, end }
}

async function reorgSession (min, tag, s) {
  const k = kp(tag)
  const w = new Hypercore(dir(), { keyPair: k }); await w.ready()
  const r = new Hypercore(dir(), w.key); await r.ready()
  const steps = []
  const app = async (core, to, t) => { const b = []; for (let i = core.length; i < to; i++) b.push(block(i, min, t)); if (b.length) await core.append(b) }
  await app(w, s.before, tag)
  // reader fetches everything or some blocks
  const up = await answer(w, { upgrade: { start: 0, length: s.before } })
  const d = c.decode(m.wire.data, up.buf); d.manifest = w.core.header.manifest
  await r.core.verify(d)
  const blocks = []
  for (let i = 0; i < s.before; i++) {
    if (rnd() > s.density) continue
    const req = { block: { index: i, nodes: await MerkleTree.missingNodes(r.core.state, 2 * i, s.before) } }
    const a = await answer(w, req)
    await r.core.verify(c.decode(m.wire.data, a.buf))
    blocks.push(i)
  }
  for (const [to, after, t] of s.cuts) {
    await w.truncate(to)
    await app(w, after, t)
  }
  const req = { upgrade: { start: 0, length: s.ask === undefined ? w.length : Math.min(s.ask, w.length) } }
  const a = await answer(w, req)
  const dd = c.decode(m.wire.data, a.buf)
  const batch = await r.core.verifyReorg(dd)
  let guard = 0
  while (!batch.finished && guard++ < 60) {
    const { start, end, nodes } = batch.want
    const index = end - 1
    const hreq = { hash: { index: 2 * index, nodes } }
    const h = await answer(w, hreq)
    if (h.err) { steps.push(['error', 2 * index, nodes, h.err.message]); break }
    steps.push([start, end, 2 * index, nodes, h.digest])
    await batch.update(c.decode(m.wire.data, h.buf))
  }
  const finished = batch.finished
  const ancestors = batch.ancestors
  if (finished) await r.core.reorg(batch)
  const end = { length: r.core.state.length, byteLength: r.core.state.byteLength, fork: r.core.state.fork, known: await known(r) }
  w.close(); r.close()
  return { min, tag, ...s, blocks, up: a.digest, steps, finished, ancestors, end }
}

async function sectionPrologue () {
  const src = new Hypercore(dir(), { keyPair: kp(9) }); await src.ready()
  const b = []; for (let i = 0; i < 7; i++) b.push(block(i, 0, 9)); await src.append(b)
  const hash = src.core.state.hash()
  const out = []
  for (const [withSigner, len] of [[false, 7], [true, 7], [true, 12]]) {
    const man = { version: 1, quorum: withSigner ? 1 : 0, signers: withSigner ? [{ publicKey: kp(10).publicKey }] : [], prologue: { hash, length: 7 } }
    const core = new Hypercore(dir(), { manifest: man, keyPair: withSigner ? kp(10) : null }); await core.ready()
    await core.core.copyPrologue(src.state)
    if (len > 7) { const b = []; for (let i = 7; i < len; i++) b.push(block(i, 0, 9)); await core.append(b) }
    const cases = []
    for (let j = 0; j < 25; j++) {
      const r = randomRequest(len, core.byteLength, false)
      if (!r.upgrade) r.upgrade = { start: int(len), length: 1 }
      const a = await answer(core, r)
      cases.push([...pack(r), a.digest || null])
    }
    out.push({ manifest: b4a.toString(Verifier.encodeManifest(core.core.header.manifest), 'hex'), key: b4a.toString(core.key, 'hex'), length: len, signed: withSigner, cases })
    core.close().catch(() => {})
  }
  src.close()
  return out
}

async function sectionMultisig () {
  const out = []
  for (const version of [1, 0]) {
    for (const lens of [[10, 10, 10], [10, 13, 10], [12, 10, 27], [16, 17, 20], [5, 8, 8], [3, 4, 9]]) {
      const signers = [0, 1, 2].map(i => kp(20 + i))
      const manifest = Verifier.createManifest({ version, quorum: 2, allowPatch: true, signers: signers.map(s => ({ publicKey: s.publicKey })) })
      const key = Verifier.manifestHash(manifest)
      // own cores per signer with plain manifests hold the same blocks
      const own = []
      for (let i = 0; i < 3; i++) {
        const core = new Hypercore(dir(), { keyPair: signers[i] }); await core.ready()
        const bs = []; for (let j = 0; j < lens[i]; j++) bs.push(block(j, 0, 20))
        await core.append(bs); own.push(core)
      }
      const v = new Verifier(key, manifest)
      for (const pairOf of [[0, 1], [1, 2], [2, 0]]) {
        const target = multisig.signableLength(pairOf.map(i => lens[i]), 2)
        const inputs = []
        for (const i of pairOf) {
          const sig = crypto.sign(own[i].core.state.createTreeBatch().signable(v.signers[i]._ctx()), signers[i].secretKey)
          inputs.push(await multisig.partialSignature(own[i], i, target, lens[i], sig))
        }
        const blob = v.assemble(inputs)
        const batch = own[pairOf[0]].core.state.createTreeBatch()
        const ok = v.verify(await MerkleTree.truncate(own[pairOf[0]].core.state, target, batch, 0), blob)
        out.push({ version, target, manifest: b4a.toString(Verifier.encodeManifest(manifest), 'hex'), key: b4a.toString(key, 'hex'), signature: b4a.toString(blob, 'hex'), ok })
      }
      for (const x of own) x.close()
    }
  }
  return out
}

async function main () {
  const fixture = {}
  fixture.answers = await sectionAnswers()
  fixture.readers = []
  for (let i = 0; i < 24; i++) fixture.readers.push(await readerSession(i % 2 ? 9 : 0, 30 + i, pick([6, 20, 45, 90]), 45))
  fixture.reorgs = []
  for (let i = 0; i < 40; i++) {
    const before = 1 + int(pick([5, 20, 70]))
    const cut = int(before + 1)
    const after = cut + int(40)
    const cuts = [[cut, after, 90 + i]]
    if (rnd() < 0.3) { const c2 = int(after + 1); cuts.push([c2, c2 + int(10), 150 + i]) }
    const s = { before, cuts, density: pick([0, 0.2, 1, 1]) }
    if (rnd() < 0.3) s.ask = 1 + int(cuts[cuts.length - 1][1] || 1)
    if (cuts[cuts.length - 1][1] === 0) continue
    fixture.reorgs.push(await reorgSession(i % 2 ? 9 : 0, 60 + (i % 20), s))
  }
  fixture.prologue = await sectionPrologue()
  fixture.multisig = await sectionMultisig()
  fs.writeFileSync(process.argv[2], zlib.gzipSync(JSON.stringify(fixture), { level: 9 }))
  fs.rmSync(root, { recursive: true, force: true })
  process.exit(0)
}
main().catch(e => { console.error(e); process.exit(1) })
