// npm run build: dist/lib (the library, one file each), dist/bin (the command, bundled), dist/THIRD-PARTY-LICENSES.txt and
// dist/sbom.cdx.json (what is in that bundle).
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bootstrap, root } from './bootstrap.mjs'
import { ensureCodec } from './codec.mjs'
import { runCommand } from './commands.mjs'
import { fail, step } from './console.mjs'

const dist = join(root, 'dist')
const generated = 'etcd/generated'

/** Builds `dist/` from scratch. */
export async function build() {
  await ensureCodec()
  rmSync(dist, { recursive: true, force: true })
  await buildLibrary()
  const bundle = await buildCommand()
  writeFileSync(join(dist, 'THIRD-PARTY-LICENSES.txt'), await licensesOf(bundle.inputs))
  const { sbomText } = await import('./sbom.mjs')
  writeFileSync(join(dist, 'sbom.cdx.json'), sbomText(root, Object.keys(bundle.inputs)))
}

async function buildLibrary() {
  await runCommand(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.lib.json'], { cwd: root })
  rewriteDeclarations(join(dist, 'lib'))
  // tsc copies neither JavaScript nor the declarations beside it.
  if (!existsSync(join(dist, 'lib/etcd'))) return
  mkdirSync(join(dist, 'lib', generated), { recursive: true })
  for (const name of ['rpc.js', 'rpc.d.ts'])
    cpSync(join(root, 'src', generated, name), join(dist, 'lib', generated, name))
}

/** tsc rewrites `./x.ts` to `./x.js` in JavaScript and leaves it in declarations. */
function rewriteDeclarations(directory) {
  for (const name of readdirSync(directory, { recursive: true }).filter((path) => path.endsWith('.d.ts'))) {
    const path = join(directory, name)
    const text = readFileSync(path, 'utf8')
    writeFileSync(path, text.replaceAll(/(\bfrom |\bimport\()(['"])(\.[^'"]*)\.ts\2/g, '$1$2$3.js$2'))
  }
}

async function buildCommand() {
  const { build: bundle } = await import('esbuild')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const common = {
    absWorkingDir: root,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.19',
    sourcemap: 'linked',
    sourcesContent: false,
    // Bundled CommonJS packages call require for Node's own modules.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'\nconst require = __createRequire(import.meta.url)",
    },
    legalComments: 'none',
    // A third less to read at every start and to carry in every image. Names stay, for stacks in bug reports.
    minifyWhitespace: true,
    minifySyntax: true,
    plugins: [onlyKubeconfig, onlyAnswers],
    logLevel: 'error',
    metafile: true,
  }
  const command = await bundle({
    ...common,
    // By way of stdin only the entry gets the first line; a banner would go into every chunk.
    stdin: {
      contents: "#!/usr/bin/env node\nimport './main.ts'\n",
      resolveDir: join(root, 'src'),
      sourcefile: 'bin.ts',
    },
    entryNames: 'etcd-mirror',
    chunkNames: 'chunks/[name]-[hash]',
    outdir: join(dist, 'bin'),
    splitting: true,
    define: { __VERSION__: JSON.stringify(version) },
  })
  // Run in threads: they are found by their names.
  const workers = await bundle({
    ...common,
    entryPoints: ['src/targets/render/template-worker.ts', 'src/targets/render/render-worker.ts'],
    outdir: join(dist, 'bin'),
  })
  chmodSync(join(dist, 'bin/etcd-mirror.js'), 0o755)
  // Wherever the directory is copied to: without it Node parses every file to find out which kind it is of.
  writeFileSync(join(dist, 'bin/package.json'), '{ "type": "module" }\n')
  return { inputs: { ...command.metafile.inputs, ...workers.metafile.inputs } }
}

/**
 * Of Kubernetes' client the command needs what reads a kubeconfig. Its package does not say that its modules have no side
 * effects, so that all 15 MB of generated API would come along.
 */
const onlyKubeconfig = {
  name: 'only-kubeconfig',
  setup({ onResolve }) {
    const client = join(root, 'node_modules/@kubernetes/client-node/dist')
    onResolve({ filter: /^@kubernetes\/client-node$/ }, () => ({ path: join(client, 'config.js') }))
    onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir }) => {
      const isOfClient = resolveDir.startsWith(client) && path.endsWith('.js')
      return isOfClient ? { path: join(resolveDir, path), sideEffects: false } : undefined
    })
  },
}

/**
 * The endpoints read no body, no nested query and send no file. What express would do that with stays out: half a megabyte
 * of character sets, and tables of a thousand media types that would be built at every start.
 */
const onlyAnswers = {
  name: 'only-answers',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(body-parser|qs)$/ }, ({ path }) => ({ path, namespace: 'nothing' }))
    onLoad({ filter: /.*/, namespace: 'nothing' }, () => ({ contents: '' }))
    const types = {
      'application/json': { charset: 'UTF-8', extensions: ['json'] },
      'text/html': { charset: 'UTF-8', extensions: ['html'] },
    }
    onLoad({ filter: /\/mime-db\/db\.json$/ }, () => ({ contents: JSON.stringify(types), loader: 'json' }))
  },
}

async function licensesOf(inputs) {
  const { licenseText } = await import('./licenses.mjs')
  return licenseText(root, Object.keys(inputs))
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  await bootstrap(import.meta.url)
  await step('building dist', build).catch((error) => fail(error.message))
}
