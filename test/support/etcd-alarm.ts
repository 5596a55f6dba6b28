import { Client, credentials } from '@grpc/grpc-js'
import type { EtcdServer } from './etcd-server.ts'

const ALARMS = { NOSPACE: 1, CORRUPT: 2 } as const

/** Raises an alarm as etcd itself does; `etcdctl alarm disarm` ends it. */
export async function raiseAlarm({ clientPort }: EtcdServer, alarm: keyof typeof ALARMS): Promise<void> {
  const client = new Client(`127.0.0.1:${clientPort}`, credentials.createInsecure())
  const bytes = (buffer: Buffer) => buffer
  // AlarmRequest: action = ACTIVATE, memberID = 1, alarm.
  const request = Buffer.from([0x08, 1, 0x10, 1, 0x18, ALARMS[alarm]])
  try {
    await new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest('/etcdserverpb.Maintenance/Alarm', bytes, bytes, request, (error) =>
        error ? reject(error) : resolve(),
      )
    })
  } finally {
    client.close()
  }
}
