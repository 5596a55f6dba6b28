import * as z from 'zod'

const revisionField = z.int().nonnegative()

/** `spec` of EtcdKey: one key of etcd as a mirror last saw it. Written by mirrors, not by people. */
export const etcdKeySpecSchema = z
  .strictObject({
    key: z.string().optional().describe('The whole key, when it is valid UTF-8.'),
    keyBase64: z.string().optional().describe('The whole key, base64, when it is no valid UTF-8.'),
    value: z.string().optional().describe('The value, when it is valid UTF-8.'),
    valueBase64: z.string().optional().describe('The value, base64, when it is no valid UTF-8.'),
    createRevision: revisionField.describe('Revision of etcd at which the key was created.'),
    modRevision: revisionField.describe('Revision of etcd at which the key was last written.'),
    version: revisionField.describe('How often the key was written since it was created.'),
    lease: z
      .string()
      .optional()
      .describe('Id of the lease of the key, hexadecimal as etcdctl prints it; absent = none.'),
  })
  .describe('One key of etcd.')
