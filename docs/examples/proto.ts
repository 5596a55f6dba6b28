// Messages of @bufbuild/protobuf as values: typed reads, writes, lists and watches. ./phonebook_pb.ts is made of
// phonebook.proto by protoc-gen-es.
import { create } from '@bufbuild/protobuf'
import { EtcdConnection } from 'etcd-mirror'
import { JsonSerializer, ProtoWrapper } from 'etcd-mirror/proto'
import { ContactSchema } from './phonebook_pb.ts'

await using connection = await EtcdConnection.open()
const wrapper = new ProtoWrapper(connection, new JsonSerializer())
const contacts = wrapper.newBroker('/examples/proto/')
await contacts.delete('', { prefix: true })

const ada = create(ContactSchema, { name: 'Ada', phoneNumber: '1815' })
await contacts.put('ada', ContactSchema, ada)
console.log('stored as', (await connection.getValue('/examples/proto/ada'))?.value.toString())

const found = await contacts.getValue('ada', ContactSchema)
console.log('read', found?.message().name, found?.message().phoneNumber)

// One message has one text, so messages can be compared and swapped.
const moved = create(ContactSchema, { ...ada, phoneNumber: '1842' })
console.log('swapped', await contacts.compareAndSwap('ada', ContactSchema, ada, moved))

await contacts
  .newTxn()
  .put('bob', ContactSchema, create(ContactSchema, { name: 'Bob' }))
  .put('eve', ContactSchema, create(ContactSchema, { name: 'Eve' }))
  .commit()
const list = contacts.listValues('', ContactSchema)
const revision = await list.revision()
for await (const contact of list) console.log('listed', contact.key.toString(), contact.message().name)

await contacts.delete('bob')
for await (const event of wrapper.newWatcher('/examples/proto/').watch('', ContactSchema, { fromRevision: revision })) {
  if (event.type === 'delete') console.log('deleted', event.previousMessage()?.name)
  break
}

// Prints:
// stored as {"name":"Ada","phone_number":"1815"}
// read Ada 1815
// swapped true
// listed ada Ada
// listed bob Bob
// listed eve Eve
// deleted Bob
