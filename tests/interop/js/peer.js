// A JavaScript Hypercore peer that a test drives: one JSON request per line on stdin, one JSON answer per line on stdout.
//   node peer.js <scratch directory>
const { serve } = require('./rpc')
const { Peer } = require('./connections')
const { coreCommands } = require('./cores')
const { beeCommands } = require('./bees')
const { driveCommands } = require('./drives')
const { processCommands } = require('./process')

const peer = new Peer(process.argv[2])

serve({
  ...peer.commands(),
  ...coreCommands(peer),
  ...beeCommands(peer),
  ...driveCommands(peer),
  ...processCommands(peer)
})
