import { readFileSync } from 'node:fs'
import { symlink, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ensureNginx } from '../../rig/ensure.mjs'
import { spawnTracked } from '../../support/child-process.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { freePort } from '../../support/free-port.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { eventually } from '../../support/wait.ts'

const CHANGES_PER_ROUND = 100

let etcd: EtcdServer
beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
})
afterAll(() => etcd?.[Symbol.asyncDispose]())

/** A whole nginx.conf, and the directory that it works in. */
function template(port: number, work: string): string {
  return `daemon off;
pid ${work}/nginx.pid;
error_log ${work}/error.log notice;
events {}
http {
  access_log off;
  client_body_temp_path ${work}/body; proxy_temp_path ${work}/proxy; fastcgi_temp_path ${work}/fastcgi;
  uwsgi_temp_path ${work}/uwsgi; scgi_temp_path ${work}/scgi;
  server {
    listen 127.0.0.1:${port};
    location / { return 200 "{{ "answer" | get }}"; }
  }
}
`
}

/** Where one nginx works. */
interface Place {
  readonly nginx: string
  readonly work: string
}

const byProgram = ({ work }: Place) => ({ exec: { command: ['sh', '-c', `kill -HUP "$(cat ${work}/nginx.pid)"`] } })
const bySignal = ({ nginx }: Place) => ({ signal: { process: basename(nginx), signal: 'SIGHUP' } })

test('nginx never sees a bad file and never misses the last good one, while 2,000 changes stream and a tenth is invalid', async () => {
  await serveThroughChanges({ prefix: '/nginx/', rounds: 20, reload: byProgram })
})

test('nginx is reloaded by a signal to its master, found by its name among its workers, and check tries that', async () => {
  await serveThroughChanges({ prefix: '/signalled/', rounds: 3, reload: bySignal, isChecked: true })
})

interface Scenario {
  readonly prefix: string
  readonly rounds: number
  /** The action of the hook that reloads it. */
  readonly reload: (place: Place) => object
  /** Whether `check` looks at that action. */
  readonly isChecked?: boolean
}

async function serveThroughChanges({ prefix, rounds, reload, isChecked = false }: Scenario): Promise<void> {
  const port = await freePort()
  await using rig = await MirrorRig.make(etcd, { prefix })
  await using directory = await makeTempDir('nginx')
  const work = directory.path
  // By a name that no other nginx of this machine has.
  const nginx = join(work, `nginx-${process.pid}`)
  await symlink(await ensureNginx(), nginx)
  await writeFile(join(work, 'error.log'), '')
  await rig.writeConfig('nginx.conf.liquid', template(port, work))
  const files = {
    root: rig.root,
    render: [{ template: { file: 'nginx.conf', source: 'nginx.conf.liquid' } }],
    hooks: [
      {
        name: 'test',
        phase: 'BeforePublish',
        // Only the configuration is looked at: the log that the running server writes must stay free of what is refused.
        exec: { command: ['sh', '-c', `exec ${nginx} -t -q -c "$PWD/nginx.conf" -e ${work}/test.log`] },
      },
      {
        name: 'reload',
        phase: 'AfterPublish',
        ...reload({ nginx, work }),
      },
    ],
  }
  await rig.configure({ mirrors: [{ name: 'app', prefix, target: { files } }] })
  await rig.writer.put('answer', 'good 0')
  rig.run()
  await rig.settled()

  const server = spawnTracked(nginx, ['-c', join(rig.root, 'current/nginx.conf'), '-e', join(work, 'error.log')], {
    stdio: 'ignore',
  })
  const answers: string[] = []
  const ask = async () => {
    const answer = await (await fetch(`http://127.0.0.1:${port}/`)).text()
    answers.push(answer)
    return answer
  }
  try {
    await eventually(ask)
    const signals = `ok       mirror app, hook reload: ${basename(nginx)} can be sent SIGHUP`
    if (isChecked) expect(await rig.check()).toMatchObject({ code: 0, output: expect.stringContaining(signals) })
    for (let round = 1; round <= rounds; round++) {
      for (let change = 1; change <= CHANGES_PER_ROUND; change++) {
        // The last one of a round is good, and some before it are not.
        const isBad = change % 10 === 5
        const name = `${round}.${change}`
        await rig.writer.put('answer', isBad ? `bad ${name}"; } nonsense {` : `good ${name}`)
      }
      await eventually(async () => expect(await ask()).toBe(`good ${round}.${CHANGES_PER_ROUND}`), {
        timeoutMs: 60_000,
      })
    }
    // The last change is a bad one: what was good before stays.
    await rig.writer.put('answer', 'bad"; } nonsense {')
    await eventually(async () => expect((await rig.status()).lastError).toMatchObject({ reason: 'HookVetoed' }))
    expect(await ask()).toBe(`good ${rounds}.${CHANGES_PER_ROUND}`)
    expect(readFileSync(join(rig.root, 'current/nginx.conf'), 'utf8')).not.toContain('nonsense')
  } finally {
    server.child.kill('SIGQUIT')
    await server.exit
  }
  expect(answers.filter((answer) => !answer.startsWith('good '))).toEqual([])
  const log = readFileSync(join(work, 'error.log'), 'utf8')
  expect(log).toContain('reconfiguring')
  expect(log.match(/\[(emerg|alert|crit|error)\].*/g) ?? []).toEqual([])
  expect(await rig.metric('etcd_mirror_hook_runs_total', { hook: 'test', result: 'error' })).toBeGreaterThan(0)
  expect(await rig.metric('etcd_mirror_hook_runs_total', { hook: 'reload', result: 'success' })).toBeGreaterThan(1)
}
