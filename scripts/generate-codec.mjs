// Generates src/etcd/generated/rpc.js: static encoders and decoders for the etcd messages this project sends and reads.
// The proto files are those that the `etcd3` package ships; nothing is copied into this repository.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const out = join(root, 'src/etcd/generated/rpc.js')

const messages = [
  'Range',
  'Put',
  'DeleteRange',
  'Txn',
  'Compaction',
  'Watch',
  'LeaseGrant',
  'LeaseRevoke',
  'LeaseKeepAlive',
  'LeaseTimeToLive',
  'Status',
  'MemberList',
  'Authenticate',
].flatMap((name) => [`etcdserverpb.${name}Request`, `etcdserverpb.${name}Response`])

mkdirSync(dirname(out), { recursive: true })
const scratch = mkdtempSync(join(tmpdir(), 'etcd-mirror-codec-'))
try {
  const filter = join(scratch, 'filter.json')
  writeFileSync(filter, JSON.stringify({ rootName: 'etcd-mirror', messageNames: messages }))
  const flags = '--target static-module --wrap esm --root etcd-mirror --dependency protobufjs/minimal.js --dts'
  const lean = '--force-long --no-create --no-verify --no-convert --no-delimited --no-typeurl --no-service'
  execFileSync(
    process.execPath,
    [
      join(root, 'node_modules/protobufjs-cli/bin/pbjs'),
      ...flags.split(' '),
      ...lean.split(' '),
      '--filter',
      filter,
      '--out',
      out,
      join(root, 'node_modules/etcd3/proto/rpc.proto'),
    ],
    { stdio: 'inherit', cwd: scratch },
  )
} finally {
  rmSync(scratch, { recursive: true, force: true })
}
