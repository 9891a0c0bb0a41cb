const crypto = require('crypto')

// Content that both sides can make without sending it: the sha256 of "seed/index", repeated to the size asked for.
function pattern(seed, index, size) {
  const unit = crypto.createHash('sha256').update(`${seed}/${index}`).digest()
  return Buffer.alloc(size, unit)
}

const CHUNK = 65536

function* file(seed, size) {
  for (let at = 0; at < size; at += CHUNK) yield pattern(seed, at / CHUNK, Math.min(CHUNK, size - at))
}

module.exports = { pattern, file }
