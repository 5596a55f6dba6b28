// Loaded into the measured process with --import: keeps a histogram of how late its event loop is. SIGUSR2 begins anew;
// the next one writes what came in between to the file that EVENT_LOOP_REPORT names.
import { writeFileSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 1
const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
const lateMs = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS)
let hasBegun = false

histogram.enable()
process.on('SIGUSR2', () => {
  if (hasBegun) {
    const report = {
      p50: lateMs(histogram.percentile(50)),
      p99: lateMs(histogram.percentile(99)),
      max: lateMs(histogram.max),
    }
    writeFileSync(process.env.EVENT_LOOP_REPORT, JSON.stringify(report))
  }
  histogram.reset()
  hasBegun = true
})
