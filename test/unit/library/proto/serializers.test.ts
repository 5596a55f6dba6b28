import { create, createRegistry } from '@bufbuild/protobuf'
import { AnySchema, anyPack, StructSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from 'vitest'
import { ContactSchema } from '../../../../docs/examples/phonebook_pb.ts'
import { binarySerializer } from '../../../../src/library/proto/binary-serializer.ts'
import { JsonSerializer } from '../../../../src/library/proto/json-serializer.ts'
import { MessageCodec } from '../../../../src/library/proto/message-codec.ts'

const json = new JsonSerializer()
const text = (value: Uint8Array) => Buffer.from(value).toString()
const contact = create(ContactSchema, { name: 'Ada', phoneNumber: '123', labels: { b: '2', a: '1' } })

describe('JsonSerializer', () => {
  test('writes the field names of the schema, leaves zero values out, and always writes the same text', () => {
    const expected = '{"labels":{"a":"1","b":"2"},"name":"Ada","phone_number":"123"}'
    expect(text(json.marshal(ContactSchema, contact))).toBe(expected)
    const other = create(ContactSchema, { labels: { a: '1', b: '2' }, phoneNumber: '123', name: 'Ada', priority: 0 })
    expect(text(json.marshal(ContactSchema, other))).toBe(expected)
    expect(text(json.marshal(ContactSchema, create(ContactSchema)))).toBe('{}')
  })

  test('reads what it wrote, and both spellings of a field', () => {
    expect(json.unmarshal(ContactSchema, json.marshal(ContactSchema, contact))).toEqual(contact)
    for (const name of ['phone_number', 'phoneNumber']) {
      expect(json.unmarshal(ContactSchema, Buffer.from(`{ "${name}": "7" }`)).phoneNumber).toBe('7')
    }
    const time = create(TimestampSchema, { seconds: 5n, nanos: 7 })
    expect(json.unmarshal(TimestampSchema, json.marshal(TimestampSchema, time))).toEqual(time)
    const struct = { z: 1, a: [null, { y: true, b: 'x' }] }
    expect(text(json.marshal(StructSchema, json.unmarshal(StructSchema, Buffer.from(JSON.stringify(struct)))))).toBe(
      '{"a":[null,{"b":"x","y":true}],"z":1}',
    )
  })

  test('refuses fields that the schema does not have, unless told to skip them', () => {
    const value = Buffer.from('{"name":"Ada","age":36}')
    expect(() => json.unmarshal(ContactSchema, value)).toThrow()
    expect(new JsonSerializer({ ignoreUnknownFields: true }).unmarshal(ContactSchema, value).name).toBe('Ada')
  })

  test('reads and writes any type of its registry', () => {
    const withRegistry = new JsonSerializer({ registry: createRegistry(ContactSchema) })
    const any = anyPack(ContactSchema, create(ContactSchema, { name: 'Ada' }))
    expect(withRegistry.unmarshal(AnySchema, withRegistry.marshal(AnySchema, any))).toEqual(any)
  })

  test('expands variables on reading alone', () => {
    const expanding = new JsonSerializer({ variables: { NAME: 'Ada', LEVEL: '3' } })
    const written = create(ContactSchema, { name: '$NAME', company: '$UNSET and 5$' })
    expect(text(expanding.marshal(ContactSchema, written))).toBe('{"company":"$UNSET and 5$","name":"$NAME"}')
    const read = expanding.unmarshal(
      ContactSchema,
      Buffer.from('{"name":"$NAME","company":"$UNSET 5$","priority":$LEVEL}'),
    )
    expect([read.name, read.company, read.priority]).toEqual(['Ada', '$UNSET 5$', 3])
    expect(json.unmarshal(ContactSchema, Buffer.from('{"name":"$NAME"}')).name).toBe('$NAME')
  })
})

test('binarySerializer reads what it wrote', () => {
  expect(binarySerializer.unmarshal(ContactSchema, binarySerializer.marshal(ContactSchema, contact))).toEqual(contact)
})

describe('MessageCodec', () => {
  const codec = new MessageCodec(json)
  const refused = (action: () => unknown) => {
    try {
      action()
    } catch (error) {
      return error
    }
    throw new Error('it was not refused')
  }

  test.each([
    ['not JSON', 'secret', 'Cannot read phonebook.Contact at key "/a": not JSON'],
    ['not UTF-8', Buffer.from([0xff]), 'Cannot read phonebook.Contact at key "/a": not JSON'],
    ['an empty value', '', 'Cannot read phonebook.Contact at key "/a": not JSON'],
    ['null', 'null', 'Cannot read phonebook.Contact at key "/a": not a valid message'],
    [
      'a wrong type',
      '{"priority":"secret"}',
      'Cannot read phonebook.Contact at key "/a": not a valid message (field phonebook.Contact.priority)',
    ],
    ['an unknown field', '{"secret":1}', 'Cannot read phonebook.Contact at key "/a": not a valid message'],
  ])('tells where %s stands, and never what stands there', (_what, value, message) => {
    const error = refused(() => codec.decode(ContactSchema, Buffer.from('/a'), Buffer.from(value)))
    expect(error).toMatchObject({ code: 'InvalidMessage', retryable: false, message })
    expect(error).not.toHaveProperty('cause')
  })

  test.each([undefined, null, 'Ada', 7, {}, { name: 'Ada' }, create(StructSchema)])(
    'refuses to write %j',
    (message) => {
      expect(refused(() => codec.encode(ContactSchema, message as never))).toMatchObject({
        code: 'InvalidMessage',
        message: 'Cannot write phonebook.Contact: it is no message of that type',
      })
    },
  )

  test('refuses to write a message with a value that its field cannot have', () => {
    const wrong = create(ContactSchema, { priority: 2 ** 40 })
    for (const serializer of [json, binarySerializer]) {
      const error = refused(() => new MessageCodec(serializer).encode(ContactSchema, wrong))
      expect(error).toMatchObject({ code: 'InvalidMessage' })
      expect((error as Error).message).not.toContain(String(2 ** 40))
    }
  })

  test('hides what an injected serializer throws', () => {
    const failing = () => {
      throw new Error('secret')
    }
    const broken = new MessageCodec({ marshal: failing, unmarshal: failing })
    for (const action of [
      () => broken.encode(ContactSchema, contact),
      () => broken.decode(ContactSchema, Buffer.from('a'), Buffer.from('b')),
    ]) {
      expect(refused(action)).toMatchObject({ code: 'InvalidMessage' })
      expect(refused(action)).not.toHaveProperty('cause')
      expect(String(refused(action))).not.toContain('secret')
    }
  })
})
