function stats(peer) {
  const usage = process.resourceUsage()
  return {
    rssMiB: usage.maxRSS / 1024,
    cpuSeconds: (usage.userCPUTime + usage.systemCPUTime) / 1e6,
    ...peer.traffic()
  }
}

function processCommands(peer) {
  return {
    stats: () => stats(peer),
    exit: async () => {
      await peer.close()
      setImmediate(() => process.exit(0))
    }
  }
}

module.exports = { processCommands }
