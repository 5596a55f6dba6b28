import { createHash } from 'node:crypto'
import { escapeControl } from '../observe/escape-control.ts'
import { formatAge } from '../util/age.ts'
import { mirrorLine } from './mirror-line.ts'
import type { FailureDocument, MirrorDocument, StatusDocument } from './status-document.ts'

const REFRESH_S = 5

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#d8dce2, #3a4049); --faint: light-dark(#5b6470, #9aa4b1);
  --good: light-dark(#1a7f37, #4ac26b); --warn: light-dark(#9a6700, #d9a520); --bad: light-dark(#c1121f, #ff7b72) }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 75rem; padding: 1.5rem; overflow-wrap: anywhere }
thead th, td { white-space: nowrap }
td:last-child { white-space: normal }
h1 { font-size: 1.3rem; margin: 0 }
p { margin: .4rem 0 }
a { color: inherit }
table { border-collapse: collapse; margin: 1.5rem 0; width: 100% }
th, td { border-bottom: 1px solid var(--line); padding: .5rem .75rem .5rem 0; text-align: left; vertical-align: top }
th, small, footer { color: var(--faint); font-weight: normal }
tbody th { color: inherit; font-weight: 600 }
small { display: block; font-size: .87em }
.good { color: var(--good) } .warn { color: var(--warn) } .bad { color: var(--bad) }
@media (max-width: 48rem) {
  thead { display: none }
  tr { border-bottom: 1px solid var(--line); display: block; padding: .75rem 0 }
  tbody th, td { border: 0; display: flex; white-space: normal; gap: .75rem; padding: .1rem 0 }
  td::before { color: var(--faint); content: attr(data-name); flex: 0 0 7rem }
}`

/** Nothing but the page's own style may load or run in it. */
export const STATUS_PAGE_POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`

const HEADINGS = ['Mirror', 'State', 'Revision', 'Lag', 'Keys', 'Last publish', 'Known equal', 'Last error'] as const

/**
 * The body of `/status` for a browser: the document as a page that reads itself anew every few seconds, without a script.
 * It says nothing that the document does not say. `nowMs`: Unix time.
 */
export function statusPage(document: StatusDocument, nowMs: number): string {
  const { version, startedAt, mirrors } = document
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="refresh" content="${REFRESH_S}">
<title>etcd-mirror</title>
<style>${STYLE}</style>
</head>
<body>
<h1>etcd-mirror</h1>
<p>${escapeHtml(version)}, running for ${formatAge(nowMs - Date.parse(startedAt))}</p>
${processLines(document).join('\n')}
<table>
<thead><tr>${HEADINGS.map((heading) => `<th scope="col">${heading}</th>`).join('')}</tr></thead>
<tbody>
${mirrors.map((mirror) => row(mirror, nowMs)).join('\n')}
</tbody>
</table>
<footer>${mirrors.length === 0 ? 'No mirror is set up yet. ' : ''}Read anew every ${REFRESH_S} s. <a href="/readyz?verbose">readyz</a> <a href="/livez?verbose">livez</a> <a href="/metrics">metrics</a></footer>
</body>
</html>
`
}

/** Of the process as a whole only what is wrong, but for the files it read. */
function processLines({ config, compaction }: StatusDocument): string[] {
  const { files, usesAcceptedCopy, lastReload } = config
  const accepted = 'The configuration is the one that was accepted last: the files are broken.'
  const problems = lastReload?.result === 'error' ? lastReload.problems : []
  return [
    ...(files.length > 0 ? [`<p>Configuration: ${escapeHtml(files.join(', '))}</p>`] : []),
    ...(usesAcceptedCopy ? [`<p class="warn">${accepted}</p>`] : []),
    ...problems.map((problem) => `<p class="bad">${escapeHtml(problem)}</p>`),
    ...(compaction?.lastError ? [`<p class="warn">auto-compact: ${failureText(compaction.lastError)}</p>`] : []),
  ]
}

function row(mirror: MirrorDocument, nowMs: number): string {
  const line = mirrorLine(mirror, nowMs)
  const { lastError } = mirror
  const where = `${escapeHtml(mirror.prefix)} → ${escapeHtml(mirror.target)}`
  const error = lastError === null ? '-' : failureText(lastError)
  const cells = [
    `<span class="${line.tone}">${escapeHtml(line.state)}</span>`,
    line.revision,
    line.lag,
    line.keys,
    line.lastPublish,
    line.knownEqual,
    `<span>${error}</span>`,
  ]
  const named = cells.map((cell, index) => `<td data-name="${HEADINGS[index + 1]}">${cell}</td>`)
  return `<tr><th scope="row"><span>${escapeHtml(line.name)}<small>${where}</small></span></th>${named.join('')}</tr>`
}

function failureText({ reason, message, hint }: FailureDocument): string {
  return `${escapeHtml(`${reason}: ${message}`)}${hint === null ? '' : `<small>${escapeHtml(hint)}</small>`}`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return escapeControl(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
}
