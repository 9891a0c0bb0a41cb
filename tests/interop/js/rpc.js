const readline = require('readline')

function write(message) {
  process.stdout.write(JSON.stringify(message) + '\n')
}

async function answer(commands, { id, cmd, ...args }) {
  try {
    const command = commands[cmd]
    if (!command) throw new Error('no such command: ' + cmd)
    write({ id, ok: (await command(args)) ?? null })
  } catch (err) {
    write({ id, err: { code: err.code || 'ERROR', message: err.message, stack: err.stack } })
  }
}

// Requests run side by side: a test may wait for a block in one while it appends in another.
function serve(commands) {
  const lines = readline.createInterface({ input: process.stdin })
  lines.on('line', (line) => answer(commands, JSON.parse(line)))
  lines.on('close', () => process.exit(0))
  write({ ready: true, versions: versions() })
}

function versions() {
  const names = ['hypercore', 'hypercore-v10', 'hyperbee', 'hyperblobs', 'hyperdrive', 'corestore', 'protomux', '@hyperswarm/secret-stream']
  return Object.fromEntries(names.map((name) => [name, require(name + '/package.json').version]))
}

module.exports = { serve }
