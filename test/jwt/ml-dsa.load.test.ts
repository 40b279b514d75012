import type * as NodeCrypto from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ml_dsa44 } from '@noble/post-quantum/ml-dsa.js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { algorithmNamed } from '../../src/jwt/algorithms.js';

const LIBRARY = '@noble/post-quantum/ml-dsa.js';
const SETS = [
  ['ML-DSA-44', 1312],
  ['ML-DSA-65', 1952],
  ['ML-DSA-87', 2592],
] as const;

/** The module as at the start of a process, on a Node.js with or without ML-DSA. */
async function freshModule(hasMlDsa: boolean) {
  vi.doMock('node:crypto', async (original) => ({
    ...(await original<typeof NodeCrypto>()),
    createPublicKey: hasMlDsa ? mlDsaKeyFromDer : refuse,
  }));
  return import('../../src/jwt/ml-dsa.js');
}

function refuse(): never {
  throw new Error('unsupported');
}

/** The parts of a key object of Node.js 24.6 that are used. */
function mlDsaKeyFromDer(input: { key: Buffer; format: string; type: string }) {
  if (input.format !== 'der' || input.type !== 'spki') throw new Error('unsupported');
  const [parameterSet] = SETS.find(([, length]) => input.key.length === length + 22) ?? [''];
  return {
    asymmetricKeyType: parameterSet.toLowerCase(),
    export: ({ format, type }: { format: string; type: string }) =>
      format === 'der' && type === 'spki' ? input.key : refuse(),
  };
}

beforeEach(() => vi.resetModules());
afterEach(() => {
  vi.doUnmock('node:crypto');
  vi.doUnmock(LIBRARY);
  // Other test files share the modules of this process.
  vi.resetModules();
});

describe('without ML-DSA in node:crypto', () => {
  test('verification throws before the library is loaded', async () => {
    const { MlDsaPublicKey, verifyMlDsa } = await freshModule(false);
    const key = new MlDsaPublicKey('ML-DSA-44', Buffer.alloc(1312));
    expect(() => verifyMlDsa(key, Buffer.alloc(1), Buffer.alloc(2420))).toThrow(
      'No implementation of ML-DSA is loaded',
    );
  });

  test('a key verifies with the library once it is loaded', async () => {
    const { loadMlDsa, mlDsaKeyFrom, verifyMlDsa } = await freshModule(false);
    await loadMlDsa();
    const { publicKey, secretKey } = ml_dsa44.keygen();
    const key = mlDsaKeyFrom('ML-DSA-44', Buffer.from(publicKey)) as never;
    const signature = ml_dsa44.sign(Buffer.from('input'), secretKey);
    expect(verifyMlDsa(key, Buffer.from('input'), signature)).toBe(true);
    expect(verifyMlDsa(key, Buffer.from('Input'), signature)).toBe(false);
  });

  test('a missing library is an options error with a remedy', async () => {
    vi.doMock(LIBRARY, refuse);
    const { loadMlDsa } = await freshModule(false);
    await expect(loadMlDsa()).rejects.toMatchObject({
      code: 'options_invalid',
      message: expect.stringMatching(/algorithm.*cannot be used here: .*npm install @noble\/post-quantum/),
      cause: expect.anything(),
    });
  });

  test.each(['ml_dsa44', 'ml_dsa65', 'ml_dsa87'])('a library without %s is too old', async (missing) => {
    const schemes = { ml_dsa44, ml_dsa65: ml_dsa44, ml_dsa87: ml_dsa44 };
    vi.doMock(LIBRARY, () => ({ ...schemes, [missing]: undefined }));
    const { loadMlDsa } = await freshModule(false);
    await expect(loadMlDsa()).rejects.toMatchObject({
      code: 'options_invalid',
      message: expect.stringMatching(/algorithm.*needs @noble\/post-quantum 0\.5 or later/),
    });
  });
});

describe('with ML-DSA in node:crypto', () => {
  test('the library is not loaded', async () => {
    vi.doMock(LIBRARY, refuse);
    const { loadMlDsa } = await freshModule(true);
    await expect(loadMlDsa()).resolves.toBeUndefined();
  });

  test.each(SETS)(
    'a key of %s is a node:crypto key, and can be read again from its SPKI',
    async (parameterSet, length) => {
      const { mlDsaEncodingOf, mlDsaKeyFrom, mlDsaKeyFromSpki, MlDsaPublicKey } = await freshModule(true);
      const bytes = Buffer.alloc(length, 7);
      const key = mlDsaKeyFrom(parameterSet, bytes) as KeyObject;
      expect(key).not.toBeInstanceOf(MlDsaPublicKey);
      expect(mlDsaEncodingOf(key)).toEqual({ parameterSet, bytes });
      const again = mlDsaKeyFromSpki(key.export({ format: 'der', type: 'spki' }));
      expect(again && mlDsaEncodingOf(again)).toEqual({ parameterSet, bytes });
    },
  );

  test.each(SETS)('a key of %s fits only its algorithm', (alg) => {
    const key = { asymmetricKeyType: alg.toLowerCase() } as unknown as KeyObject;
    expect(SETS.map(([name]) => algorithmNamed(name)?.fits(key))).toEqual(SETS.map(([name]) => name === alg));
  });

  test('a key without an asymmetricKeyType is not an ML-DSA key', async () => {
    const { mlDsaEncodingOf } = await freshModule(true);
    expect(mlDsaEncodingOf({} as KeyObject)).toBeUndefined();
  });
});

test('a Node.js that reads ML-DSA keys without knowing their type counts as one without ML-DSA', async () => {
  vi.doMock('node:crypto', async (original) => ({
    ...(await original<typeof NodeCrypto>()),
    createPublicKey: () => ({ asymmetricKeyType: undefined }),
  }));
  const { mlDsaKeyFrom, MlDsaPublicKey } = await import('../../src/jwt/ml-dsa.js');
  expect(mlDsaKeyFrom('ML-DSA-44', Buffer.alloc(1312))).toBeInstanceOf(MlDsaPublicKey);
});
