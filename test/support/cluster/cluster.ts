import { dirname } from 'node:path'
import { ensureEtcd, ensureHelm, ensureKubernetes, ensureKubernetesNode, ensureRoot } from '../../rig/ensure.mjs'
import { type BuiltImage, buildOtherImages, buildOwnImage } from './images.ts'
import { startKubernetes } from './kubernetes.ts'
import { Machine } from './machine.ts'

/** A Kubernetes of one node that has the image of the Dockerfile, and everything that the manifests name. */
export interface Cluster extends AsyncDisposable {
  readonly machine: Machine
  readonly image: BuiltImage
}

/** Needs root and `npm run build`. Takes some 40 seconds once the rig has its programs. */
export async function startCluster(): Promise<Cluster> {
  const { directory: kubernetes } = await ensureKubernetes('1.37')
  const shows = {
    kubernetes,
    node: await ensureKubernetesNode(),
    etcd: dirname((await ensureEtcd('3.6')).etcd),
    helm: dirname(await ensureHelm()),
  }
  const env = {
    PATH: '/kubernetes:/node:/etcd:/helm:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    KUBECONFIG: '/data/kubernetes/kubeconfig',
  }
  const machine = await Machine.start({ root: await ensureRoot('machine'), shows, env })
  try {
    await machine.exec(['bash', '-c', 'cat > /etc/containers/policy.json'], { input: POLICY })
    const image = await buildOwnImage(machine)
    await startKubernetes(machine, [image.archive, ...(await buildOtherImages(machine))])
    return { machine, image, [Symbol.asyncDispose]: () => machine[Symbol.asyncDispose]() }
  } catch (error) {
    await machine[Symbol.asyncDispose]()
    throw error
  }
}

const POLICY = JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] })
