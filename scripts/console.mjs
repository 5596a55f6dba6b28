// What the scripts say: one line when a step begins, one when it ends, one every ten seconds while it is silent.
const isTerminal = process.stdout.isTTY && !process.env.NO_COLOR
const paint = (code) => (text) => (isTerminal ? `\u001b[${code}m${text}\u001b[0m` : text)

export const bold = paint(1)
export const dim = paint(2)
export const red = paint(31)
export const green = paint(32)
export const cyan = paint(36)

/** Runs `work` as a named step and says how long it took. An error passes through. */
export async function step(title, work) {
  const started = Date.now()
  const elapsed = () => `${((Date.now() - started) / 1000).toFixed(1)} s`
  console.log(`${cyan('▸')} ${title} …`)
  const heartbeat = setInterval(() => console.log(dim(`  ${title} … ${elapsed()}`)), 10_000)
  try {
    const result = await work()
    console.log(`${green('✓')} ${title} ${dim(elapsed())}`)
    return result
  } catch (error) {
    console.log(`${red('✗')} ${title} ${dim(elapsed())}`)
    throw error
  } finally {
    clearInterval(heartbeat)
  }
}

/** Says what is wrong and ends the process with exit code 1. */
export function fail(...lines) {
  for (const line of lines) console.error(line)
  process.exit(1)
}
