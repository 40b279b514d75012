import { type Case, signed } from '../support.js';

const STRING = 'RFC 7515, section 7.1 (a string)';

const WITHOUT_A_TOKEN: Record<string, unknown> = {
  undefined: undefined,
  null: null,
  true: true,
  false: false,
  zero: 0,
  NaN: Number.NaN,
  'a number': 42,
  'a bigint': 42n,
  'a boxed bigint': Object(42n),
  'a symbol': Symbol('token'),
  'an empty object': {},
  'an object without a prototype': Object.create(null),
  'an empty array': [],
  'a date': new Date(0),
  'a regular expression': /token/,
  'a map': new Map(),
  'a promise that never settles': new Promise(() => undefined),
  'an error': new Error('token'),
  'an empty Buffer': Buffer.alloc(0),
};

const AROUND_A_TOKEN: Record<string, (token: string) => unknown> = {
  // oxlint-disable-next-line no-new-wrappers
  'a String object': (token) => new String(token),
  'an array': (token) => [token],
  'an array of its parts': (token) => token.split('.'),
  'an object with toString': (token) => ({ toString: () => token }),
  'an object with valueOf': (token) => ({ valueOf: () => token }),
  'an object with Symbol.toPrimitive': (token) => ({ [Symbol.toPrimitive]: () => token }),
  'an object with toJSON': (token) => ({ toJSON: () => token }),
  'an object that looks like a string': (token) => ({
    length: token.length,
    split: () => token.split('.'),
    indexOf: (text: string, from: number) => token.indexOf(text, from),
    slice: (from: number, to: number) => token.slice(from, to),
    toString: () => token,
  }),
  'a function': (token) => () => token,
  'a thenable': (token) => ({
    // oxlint-disable-next-line unicorn/no-thenable
    then: (give: (value: string) => void) => give(token),
  }),
  'a promise of it': (token) => Promise.resolve(token),
  'a proxy of a String object': (token) => {
    // oxlint-disable-next-line no-new-wrappers
    return new Proxy(new String(token), {});
  },
  'a DataView': (token) => new DataView(new TextEncoder().encode(token).buffer),
  'a JSON serialization': (token) => {
    const [header, payload, signature] = token.split('.');
    return { protected: header, payload, signature };
  },
};

/** Some verifiers also accept bytes, by their documentation. */
const BYTES: Record<string, (token: string) => unknown> = {
  'a Buffer': (token) => Buffer.from(token),
  'a Uint8Array': (token) => new TextEncoder().encode(token),
  'an ArrayBuffer': (token) => new TextEncoder().encode(token).buffer,
};

const throwing = () => {
  throw new RangeError('Reading the token throws');
};
const trapped = (target: object) =>
  new Proxy(target, {
    get: throwing,
    has: throwing,
    ownKeys: throwing,
    getPrototypeOf: throwing,
    getOwnPropertyDescriptor: throwing,
    apply: throwing,
  });

const HOSTILE: Record<string, () => unknown> = {
  'an object whose toString throws': () => ({ toString: throwing }),
  'an object whose length throws': () => Object.defineProperty({}, 'length', { get: throwing }),
  'a proxy all of whose traps throw': () => trapped({}),
  'a proxy of a function all of whose traps throw': () => trapped(() => undefined),
  'a proxy that was revoked': () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  },
};

export const nonStrings: readonly Case[] = [
  ...Object.entries(WITHOUT_A_TOKEN).map(([name, value]) => ({ name, source: STRING, make: () => value })),
  ...Object.entries(AROUND_A_TOKEN).map(([name, wrap]): Case => ({
    name: `${name} around a valid token`,
    source: STRING,
    make: (keys) => wrap(signed(keys)),
  })),
  ...Object.entries(BYTES).map(([name, wrap]): Case => ({
    name: `${name} of a valid token`,
    source: STRING,
    make: (keys) => wrap(signed(keys)),
    needs: ['refusesBytes'],
  })),
  ...Object.entries(HOSTILE).map(([name, make]) => ({ name, source: 'CWE-248', make })),
];
