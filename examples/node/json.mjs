import { ExtData } from '@msgpack/msgpack'

// json is a replacer for JSON.stringify, for the values that JSON has no type for.
export function json(_, v) {
  const hex = (b) => Buffer.from(b).toString('hex')
  if (v instanceof ExtData) return { $unknown: hex(v.data), type: v.type }
  if (v instanceof Uint8Array) return { $bytes: hex(v) }
  if (typeof v === 'bigint' && !Number.isSafeInteger(Number(v))) return { $int: String(v) }
  if (typeof v === 'bigint') return Number(v)
  if (Object.is(v, -0)) return { $float: '-0' }
  if (typeof v === 'number' && !Number.isFinite(v)) return { $float: String(v) }
  return v
}
