import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { KmsJwtOptionsError } from '../errors/errors.js';

/** A parameter set of ML-DSA (FIPS 204, section 4), which is also its `alg` (RFC 9964). */
export type MlDsaParameterSet = 'ML-DSA-44' | 'ML-DSA-65' | 'ML-DSA-87';

/** The length of μ, and of the hash of a public key in it, in bytes (FIPS 204, algorithms 6 and 7). */
const MU_LENGTH = 64;

interface Encoding {
  /** The length of a public key, in bytes. */
  readonly length: number;
  /** What precedes it in a SubjectPublicKeyInfo (RFC 9881, section 4). */
  readonly spkiPrefix: Buffer;
}

const ENCODINGS: Readonly<Record<MlDsaParameterSet, Encoding>> = {
  'ML-DSA-44': { length: 1312, spkiPrefix: spkiPrefix('30820532', '11', '03820521') },
  'ML-DSA-65': { length: 1952, spkiPrefix: spkiPrefix('308207b2', '12', '038207a1') },
  'ML-DSA-87': { length: 2592, spkiPrefix: spkiPrefix('30820a32', '13', '03820a21') },
};

/** A public key, if `node:crypto` has no ML-DSA. */
export class MlDsaPublicKey {
  constructor(
    readonly parameterSet: MlDsaParameterSet,
    readonly bytes: Buffer,
  ) {}
}

/** A key from its encoding (FIPS 204, algorithm 22); undefined if the length is not that of the parameter set. */
export function mlDsaKeyFrom(parameterSet: unknown, bytes: Buffer): KeyObject | MlDsaPublicKey | undefined {
  if (!isParameterSet(parameterSet)) return undefined;
  const { length, spkiPrefix: prefix } = ENCODINGS[parameterSet];
  if (bytes.length !== length) return undefined;
  if (!hasMlDsa()) return new MlDsaPublicKey(parameterSet, bytes);
  return createPublicKey({ key: Buffer.concat([prefix, bytes]), format: 'der', type: 'spki' });
}

/** A key from a SubjectPublicKeyInfo; undefined if it is not an ML-DSA key. */
export function mlDsaKeyFromSpki(spki: Buffer): KeyObject | MlDsaPublicKey | undefined {
  for (const [parameterSet, { spkiPrefix: prefix }] of Object.entries(ENCODINGS)) {
    if (spki.subarray(0, prefix.length).equals(prefix))
      return mlDsaKeyFrom(parameterSet, spki.subarray(prefix.length));
  }
  return undefined;
}

/** The encoding of a key (FIPS 204, algorithm 22), and its parameter set; undefined for a key of another type. */
export function mlDsaEncodingOf(
  key: KeyObject | MlDsaPublicKey,
): { parameterSet: MlDsaParameterSet; bytes: Buffer } | undefined {
  if (key instanceof MlDsaPublicKey) return key;
  const parameterSet = key.asymmetricKeyType?.toUpperCase();
  if (!isParameterSet(parameterSet)) return undefined;
  const spki = key.export({ format: 'der', type: 'spki' });
  return { parameterSet, bytes: spki.subarray(ENCODINGS[parameterSet].spkiPrefix.length) };
}

/** The representative μ of a message with an empty context (FIPS 204, algorithm 7, line 6). */
export function externalMu(publicKey: Buffer, message: Uint8Array): Buffer {
  const keyHash = shake256(publicKey);
  const noContext = Buffer.from([0, 0]);
  return shake256(Buffer.concat([keyHash, noContext, message]));
}

/** Verifies signatures where `node:crypto` cannot. */
interface SoftwareMlDsa {
  verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
}

let software: Readonly<Record<MlDsaParameterSet, SoftwareMlDsa>> | undefined;

/**
 * To be awaited before signatures are verified. Loads a library, unless the runtime has ML-DSA.
 *
 * @throws KmsJwtOptionsError if neither is available
 */
export async function loadMlDsa(): Promise<void> {
  if (software || hasMlDsa()) return;
  const library = await importLibrary();
  const { ml_dsa44: first, ml_dsa65: second, ml_dsa87: third } = library;
  if (!first || !second || !third) {
    throw new KmsJwtOptionsError('algorithm', 'needs @noble/post-quantum 0.5 or later');
  }
  software = { 'ML-DSA-44': first, 'ML-DSA-65': second, 'ML-DSA-87': third };
}

/** Within `try`, because bundlers then accept that the package is not installed. */
async function importLibrary(): Promise<Partial<Record<`ml_dsa${44 | 65 | 87}`, SoftwareMlDsa>>> {
  try {
    return await import('@noble/post-quantum/ml-dsa.js');
  } catch (error) {
    const remedy =
      'ML-DSA needs Node.js 24.6 or later, or the package @noble/post-quantum: npm install @noble/post-quantum';
    throw new KmsJwtOptionsError('algorithm', `cannot be used here: ${remedy}`, { cause: error });
  }
}

/** @throws Error unless `loadMlDsa` was awaited, and for some malformed signatures */
export function verifyMlDsa(
  { parameterSet, bytes }: MlDsaPublicKey,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (!software) throw new Error('No implementation of ML-DSA is loaded');
  return software[parameterSet].verify(signature, message, bytes);
}

let isNative: boolean | undefined;

/**
 * Whether `node:crypto` has ML-DSA. It depends on OpenSSL, which may not be the one that Node comes with, and on Node:
 * before 24.6 it reads such a key with OpenSSL 3.5, but knows neither its type nor how to verify with it.
 */
function hasMlDsa(): boolean {
  isNative ??= canReadMlDsa();
  return isNative;
}

function canReadMlDsa(): boolean {
  const { length, spkiPrefix: prefix } = ENCODINGS['ML-DSA-44'];
  try {
    // Any bytes of the right length are the encoding of a public key.
    const spki = Buffer.concat([prefix, Buffer.alloc(length)]);
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
    return isParameterSet(key.asymmetricKeyType?.toUpperCase());
  } catch {
    return false;
  }
}

function isParameterSet(name: unknown): name is MlDsaParameterSet {
  return typeof name === 'string' && Object.hasOwn(ENCODINGS, name);
}

function shake256(data: Uint8Array): Buffer {
  return createHash('shake256', { outputLength: MU_LENGTH }).update(data).digest();
}

/** SEQUENCE { SEQUENCE { OBJECT IDENTIFIER 2.16.840.1.101.3.4.3.<last arc> }, BIT STRING … } */
function spkiPrefix(sequence: string, lastArc: string, bitString: string): Buffer {
  return Buffer.from(`${sequence}300b06096086480165030403${lastArc}${bitString}00`, 'hex');
}
