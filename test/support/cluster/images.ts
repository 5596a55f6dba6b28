import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureRoot } from '../../rig/ensure.mjs'
import type { Machine } from './machine.ts'

const PROJECT = join(import.meta.dirname, '../../..')
const BUILDAH = ['buildah', '--root', '/data/storage', '--runroot', '/run/storage', '--storage-driver', 'overlay']
const LIBRARY = 'docker.io/library'
const PATH = 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const NGINX_CONF = `error_log stderr;
pid /tmp/nginx.pid;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/client;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;
  server { listen 8080; root /usr/share/nginx/html; }
}
`

/** The image that the Dockerfile makes, and what is known of it. */
export interface BuiltImage {
  readonly name: string
  /** Of its layers, above those of the base. */
  readonly bytesOverBase: number
  /** Its file, as `/data/…`. */
  readonly archive: string
}

/** Builds the Dockerfile's image on a stand-in for Debian's image of Node, with what \`npm run build\` left in \`dist\`. */
export async function buildOwnImage(machine: Machine): Promise<BuiltImage> {
  const base = `${LIBRARY}/node:24-slim`
  const name = `${LIBRARY}/etcd-mirror:0.1.0`
  const node = join(machine.data, 'build/node')
  await mkdir(join(node, 'usr/local/bin'), { recursive: true })
  await cp(process.execPath, join(node, 'usr/local/bin/node'))
  await build(machine, 'node', base, await ensureRoot('node-image'), ['FROM scratch', 'COPY . /', PATH])
  const context = join(machine.data, 'build/context')
  for (const path of ['Dockerfile', '.dockerignore', 'LICENSE', 'dist', 'README.md']) {
    await cp(join(PROJECT, path), join(context, path), { recursive: true })
  }
  await bud(machine, name, ['/data/build/context'])
  const archive = await push(machine, name, 'etcd-mirror')
  return { name, archive, bytesOverBase: await bytesOfOwnLayers(machine, name, base) }
}

/**
 * Builds what docs/image.md says about adding programs, and gives it to the cluster of the machine; resolves with its name.
 * Where that installs packages, their files are copied: nothing is downloaded.
 */
export async function buildImageWithNginx(machine: Machine): Promise<string> {
  const name = 'etcd-mirror-with-nginx:0.1.0'
  const page = await readFile(join(PROJECT, 'docs/image.md'), 'utf8')
  const lines = /```dockerfile\n(FROM etcd-mirror:[^`]*)```/.exec(page)?.[1]?.trim().split('\n') ?? []
  const installing = lines.findIndex((line) => line.startsWith('RUN apt-get'))
  if (installing === -1) throw new Error('docs/image.md does not say how to add a program')
  const own = lines.map((line) => line.replace('FROM etcd-mirror', `FROM ${LIBRARY}/etcd-mirror`))
  await build(machine, 'with-nginx', `${LIBRARY}/${name}`, await ensureRoot('nginx'), own.with(installing, 'COPY . /'))
  await importImage(machine, await push(machine, `${LIBRARY}/${name}`, 'with-nginx'))
  return name
}

/** Gives an image to the cluster of the machine. */
export async function importImage(machine: Machine, archive: string): Promise<void> {
  await machine.exec(['ctr', '-n', 'k8s.io', 'images', 'import', '--snapshotter', 'overlayfs', archive])
}

/** Puts the files of an image below `/data/unpacked`; resolves with that path. */
export async function unpackImage(machine: Machine, name: string): Promise<string> {
  const container = (await machine.exec([...BUILDAH, 'from', '--pull-never', name])).trim()
  const mounted = (await machine.exec([...BUILDAH, 'mount', container])).trim()
  await machine.exec(['cp', '-a', mounted, '/data/unpacked'])
  return '/data/unpacked'
}

/** Stand-ins for the images of others that the manifests name; resolves with their files. */
export async function buildOtherImages(machine: Machine): Promise<readonly string[]> {
  const shell = [
    'COPY bin/busybox /bin/busybox',
    'RUN ["/bin/busybox", "--install", "-s", "/bin"]',
    'RUN mkdir -m 1777 /tmp',
  ]
  const busybox = await ensureRoot('busybox')
  const serve = `CMD ["nginx", "-e", "stderr", "-g", "daemon off;"]`
  await mkdir(join(machine.data, 'build/nginx/etc/nginx'), { recursive: true })
  await writeFile(join(machine.data, 'build/nginx/etc/nginx/nginx.conf'), NGINX_CONF)
  await build(machine, 'busybox', `${LIBRARY}/busybox:1.37`, busybox, ['FROM scratch', ...shell])
  await build(machine, 'pause', `${LIBRARY}/pause:1`, busybox, [
    ...['FROM scratch', 'COPY bin/busybox /bin/busybox', 'COPY usr/bin/tini-static /tini'],
    'ENTRYPOINT ["/tini", "--", "/bin/busybox", "sleep", "2000000000"]',
  ])
  const nginx = 'docker.io/nginxinc/nginx-unprivileged:1.29'
  await build(machine, 'nginx', nginx, await ensureRoot('nginx'), ['FROM scratch', 'COPY . /', PATH, 'USER 101', serve])
  return [
    await push(machine, `${LIBRARY}/busybox:1.37`, 'busybox'),
    await push(machine, `${LIBRARY}/pause:1`, 'pause'),
    await push(machine, nginx, 'nginx'),
  ]
}

/** What stands in `/data/build/<directory>` goes over the root. */
async function build(machine: Machine, directory: string, name: string, root: string, lines: readonly string[]) {
  const context = join(machine.data, 'build', directory)
  await cp(root, context, { recursive: true, verbatimSymlinks: true, force: false, errorOnExist: false })
  await writeFile(join(machine.data, 'build', `${directory}.Dockerfile`), `${lines.join('\n')}\n`)
  await bud(machine, name, ['-f', `/data/build/${directory}.Dockerfile`, `/data/build/${directory}`])
}

async function bud(machine: Machine, name: string, args: readonly string[]): Promise<void> {
  const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096']
  const isolation = ['--isolation', 'oci', '--runtime', 'runc', '--network', 'host', ...limits]
  await machine.exec([...BUILDAH, 'bud', ...isolation, '--pull-never', '-t', name, ...args])
}

async function push(machine: Machine, name: string, file: string): Promise<string> {
  const archive = `/data/${file}.tar`
  await machine.exec([...BUILDAH, 'push', name, `docker-archive:${archive}:${name}`])
  return archive
}

/** buildah rounds to megabytes, so the files are counted. */
async function bytesOfOwnLayers(machine: Machine, name: string, base: string): Promise<number> {
  const sizes = await Promise.all([name, base].map((image) => bytesOfFiles(machine, image)))
  return (sizes[0] ?? 0) - (sizes[1] ?? 0)
}

async function bytesOfFiles(machine: Machine, name: string): Promise<number> {
  const container = (await machine.exec([...BUILDAH, 'from', '--pull-never', name])).trim()
  const mounted = (await machine.exec([...BUILDAH, 'mount', container])).trim()
  const counted = await machine.exec(['du', '-sb', mounted])
  await machine.exec([...BUILDAH, 'rm', container])
  return Number.parseInt(counted, 10)
}
