import * as fc from 'fast-check';

const anyCodeUnit = fc.nat(0xffff).map((unit) => String.fromCharCode(unit));

/** Any JavaScript string, including lone surrogates. */
export const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: anyCodeUnit }),
);

export const bytes = fc.uint8Array({ maxLength: 200 }).map((octets) => Buffer.from(octets));

const ODD_NAMES = [
  '',
  ' ',
  '.',
  '0',
  '-1',
  'a.b',
  'a"b',
  '\\',
  '\u0000',
  '\ud800',
  '\ufeff',
  'İ',
  'scope',
  'crit',
  'b64',
];
const NAMES_OF_PROTOTYPES = ['constructor', 'prototype', 'toString', 'hasOwnProperty', 'length', 'then'];
const memberName = fc
  .oneof(text, fc.constantFrom(...ODD_NAMES, ...NAMES_OF_PROTOTYPES))
  .filter((one) => one !== '__proto__');

/** Any JSON value, without the member name `__proto__`. */
export const json = fc.letrec<{ value: unknown; leaf: unknown }>((tie) => ({
  leaf: fc.oneof(
    text,
    fc.integer(),
    // JSON.stringify writes -0 as 0.
    fc.double({ noDefaultInfinity: true, noNaN: true }).map((number) => number + 0),
    fc.boolean(),
    fc.constant(null),
  ),
  value: fc.oneof(
    { maxDepth: 4, depthSize: 'small' },
    tie('leaf'),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(memberName, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

/** Any JavaScript value, except functions, promises and streams. */
export const anything = fc.anything({
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withObjectString: true,
  withSparseArray: true,
  withTypedArray: true,
});

/** Objects that throw when they are read, or that are cyclic or deeply nested. */
export const defiant = fc.constantFrom<unknown>(
  told('{ get claim() { throw } }', Object.defineProperty({}, 'claim', { get: defend, enumerable: true })),
  new Proxy(told('a proxy', { claim: 1 }), {}),
  new Proxy(told('a proxy whose ownKeys throws', {}), { ownKeys: defend }),
  new Proxy(told('a proxy whose get throws', { claim: 1 }), {
    get: (target, name) => (typeof name === 'symbol' ? Reflect.get(target, name) : defend()),
  }),
  told('a circle', circle()),
  told('{ toJSON() { throw } }', { toJSON: defend }),
  told('{ toJSON }', { toJSON: () => ({ admin: true }) }),
  told(
    '20,000 arrays, each in the other',
    Array.from({ length: 20_000 }).reduce<object>((inner) => [inner], []),
  ),
);

/** The text that fast-check prints for an object that it must not read. */
function told<Value extends object>(name: string, value: Value): Value {
  return Object.defineProperty(value, fc.toStringMethod, { value: () => name });
}

function circle(): object {
  const start: Record<string, unknown> = {};
  start['circle'] = start;
  return start;
}

function defend(): never {
  throw new RangeError('Reading it throws');
}

/** JSON documents that differ from a valid one in a few places. */
export function disturbed(good: unknown, by: fc.Arbitrary<unknown> = json): fc.Arbitrary<unknown> {
  const change = fc.tuple(fc.nat(), fc.option(by, { nil: undefined, freq: 6 }));
  return fc
    .array(change, { maxLength: 3 })
    .map((changes) =>
      changes.reduce<unknown>((document, [place, value]) => withChange(document, place, value), good),
    );
}

function withChange(document: unknown, place: number, value: unknown): unknown {
  const copy: unknown = structuredClone(document);
  const places = isHolder(copy) ? [...placesIn(copy)] : [];
  if (places.length === 0) return copy;
  const [holder, member] = places[place % places.length] as Place;
  if (value === undefined) Reflect.deleteProperty(holder, member);
  else Reflect.set(holder, member, value);
  return copy;
}

type Place = [holder: object, member: string];

function* placesIn(holder: object): Generator<Place> {
  for (const [member, value] of Object.entries(holder)) {
    yield [holder, member];
    if (isHolder(value)) yield* placesIn(value);
  }
}

function isHolder(value: unknown): value is object {
  return Array.isArray(value) || Object.prototype.toString.call(value) === '[object Object]';
}

/** The deepest nesting in a token of the maximum length. */
const DEPTH = 5500;

/** Variants of a JSON text that readers may interpret differently, or refuse. */
const RESPELLINGS: readonly ((json: string) => string)[] = [
  (good) => ` ${good}\n`,
  (good) => `\ufeff${good}`,
  (good) => good.slice(0, -1),
  (good) => `[${good}]`,
  (good) => `${good}${good}`,
  (good) => good.replace('{', '{,'),
  (good) => good.replace('{', '{"exp":1,'),
  (good) => good.replace('{', '{"exp":9999999999,'),
  (good) => good.replace('{', '{"\\u0065xp":9999999999,'),
  (good) => good.replace('{', '{"kid":"other",'),
  (good) => good.replace('{', '{"cnf":{"jkt":"thumbprint"},'),
  (good) => good.replace('{', '{"__proto__":{"admin":true},'),
  (good) => good.replace('{', '{"a":{"b":1,"b":2},'),
  (good) => good.replace('{', '{"a":[{"b":1},{"b":2}],'),
  (good) => good.replace('{', '{/**/'),
  (good) => good.replaceAll('"', "'"),
  (good) => good.replace('}', ',}'),
  (good) => good.replace(/\d+/, (digits) => `${digits}e0`),
  (good) => good.replace(/\d+/, '1e400'),
  (good) => good.replace(/[a-z]/, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`),
  (good) => good.replace('{', `{"deep":${'['.repeat(DEPTH)}${']'.repeat(DEPTH)},`),
];

/** The bytes of a JSON document: mostly well-formed, sometimes with invalid JSON or bytes. */
export function spelled(document: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> {
  const good = document.map((value) => JSON.stringify(value));
  return fc.oneof(
    { weight: 12, arbitrary: good.map((one) => Buffer.from(one)) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(good, fc.constantFrom(...RESPELLINGS))
        .map(([one, respell]) => Buffer.from(respell(one))),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(good, changesOfBytes).map(([one, changes]) => changed(Buffer.from(one), changes)),
    },
    { weight: 1, arbitrary: bytes },
  );
}

type ChangeOfBytes = { at: number; remove: number; insert: Buffer };

export const changesOfBytes = fc.array(
  fc.record<ChangeOfBytes>({
    at: fc.nat(),
    remove: fc.nat(3),
    insert: fc.uint8Array({ maxLength: 3 }).map((octets) => Buffer.from(octets)),
  }),
  { minLength: 1, maxLength: 3 },
);

export function changed(good: Buffer, changes: readonly ChangeOfBytes[]): Buffer {
  return changes.reduce((octets, { at, remove, insert }) => {
    const start = at % (octets.length + 1);
    return Buffer.concat([octets.subarray(0, start), insert, octets.subarray(start + remove)]);
  }, good);
}
