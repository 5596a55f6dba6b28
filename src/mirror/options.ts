import * as z from 'zod'
import { DURATION_FORMS, MAX_TIMER_MS, parseDuration } from '../util/duration.ts'
import { parseQuantity, QUANTITY_FORMS } from '../util/quantity.ts'
import { quoteAttempt } from '../util/quote-attempt.ts'

/** Shorter periods would only load etcd. */
const MIN_PERIOD_MS = 100

/** The fields of a mirror that say what is mirrored and how fresh it must be; the target is added where all rooms meet. */
export const mirrorFields = {
  name: z
    .string()
    .max(63, 'must not be longer than 63 characters')
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/, 'must be a DNS label: lower-case letters, digits and inner "-"')
    .describe('Name of the mirror, unique in the process: a DNS label of at most 63 characters.'),
  prefix: z
    .string()
    .max(4096, 'must not be longer than 4096 characters')
    .describe('Keys to mirror. Ends in "/", unless rawPrefix is true.'),
  rawPrefix: z
    .boolean()
    .prefault(false)
    .describe('Take prefix as etcd does, a plain string prefix: "/a" then matches "/ab" too, and "" the whole store.'),
  maxStaleness: durationField('0', MIN_PERIOD_MS).describe(
    'Not ready when the copy was not known to equal etcd for this long; 0 = readiness does not look at staleness.',
  ),
  keys: z
    .strictObject({
      include: globsField(['**'], 1).describe('Globs on the key below the prefix; a key must match one.'),
      exclude: globsField([]).describe('Keys that match one of these globs are left out.'),
      leased: z
        .enum(['Mirror', 'Skip'])
        .prefault('Mirror')
        .describe('Skip: a key with a lease is no part of the copy.'),
    })
    .prefault({})
    .describe('Which keys of the prefix are mirrored.'),
  limits: z
    .strictObject({
      maxKeys: wholeNumberField(250_000, 1, 100_000_000).describe('Most keys of the copy.'),
      maxBytes: quantityField('256Mi').describe('Most bytes of all values together.'),
      maxValueBytes: quantityField('8Mi').describe('Most bytes of one value.'),
    })
    .prefault({})
    .describe('Beyond a limit the last good copy is held.'),
  safety: z
    .strictObject({
      refuseEmpty: z.boolean().prefault(true).describe('Hold a copy that has keys back from becoming empty.'),
      maxDeletePercent: wholeNumberField(50, 0, 100).describe(
        'Hold when more than this share of the keys of the last 10 minutes would go, from 20 keys on; 100 = never.',
      ),
      allowDeleteUpTo: wholeNumberField(0, 0, Number.MAX_SAFE_INTEGER).describe(
        'Deletes up to this etcd revision are meant: what a held copy says to write to go on.',
      ),
    })
    .prefault({})
    .describe('What looks like an accident is held until somebody says that it is meant.'),
  verifyEvery: durationField('1h', MIN_PERIOD_MS).describe('How often the copy is compared with etcd; 0 = never.'),
}

function wholeNumberField(fallback: number, min: number, max: number) {
  return z.int().min(min, `must be at least ${min}`).max(max, `must be at most ${max}`).prefault(fallback)
}

function globsField(fallback: string[], min = 0) {
  const glob = z
    .string()
    .min(1, 'must not be empty')
    .max(1024, 'must not be longer than 1024 characters')
    .describe('A glob: "*" and "?" within a segment, "**" for any number of segments.')
  return z.array(glob).min(min, 'must not be empty').max(1000, 'must not hold more than 1000 globs').prefault(fallback)
}

/** Bytes: a number, or text with a unit. */
function quantityField(fallback: string) {
  const forms = `must be ${QUANTITY_FORMS}`
  return z
    .union([z.int(), z.string()], forms)
    .transform((value, context) => {
      const bytes = parseQuantity(String(value))
      if (bytes !== undefined && bytes > 0) return bytes
      context.issues.push({ code: 'custom', message: quoteAttempt(value, 'is not a size: ') + forms, input: value })
      return z.NEVER
    })
    .prefault(fallback)
    .meta({ 'x-kubernetes-int-or-string': true })
}

/** Why this prefix cannot be mirrored; undefined = it can. */
export function prefixFault(prefix: string, rawPrefix: boolean): string | undefined {
  if (!prefix.isWellFormed()) return 'must be text that UTF-8 can hold'
  if (rawPrefix || prefix.endsWith('/')) return undefined
  if (prefix === '') return 'must not be empty (rawPrefix: true with an empty prefix mirrors the whole store)'
  return 'must end in "/" (or set rawPrefix: true to take it as a plain string prefix)'
}

/** A duration in mirror.yaml: text with units, or 0. Milliseconds come out; 0, or at least `minMs` and at most `max`. */
export function durationField(fallback: string, minMs = 0, max = '596h') {
  const maxMs = Math.min(parseDuration(max) ?? MAX_TIMER_MS, MAX_TIMER_MS)
  const forms = `must be 0 or ${DURATION_FORMS}`
  return z
    .union([z.int(), z.string()], forms)
    .transform((value, context) => {
      const refuse = (message: string) => {
        context.issues.push({ code: 'custom', message, input: value })
        return z.NEVER
      }
      const ms = parseDuration(String(value))
      if (ms === undefined) return refuse(quoteAttempt(value, 'is not a duration: it ') + forms)
      if (ms < 0) return refuse('must not be negative')
      if (ms > 0 && ms < minMs) return refuse(`must be 0 or at least ${minMs}ms`)
      if (ms > maxMs) return refuse(`must be at most ${max}`)
      return Math.ceil(ms)
    })
    .prefault(fallback)
    .meta({ 'x-kubernetes-int-or-string': true })
}
