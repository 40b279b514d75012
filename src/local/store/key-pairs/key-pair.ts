import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';

/** How Sign and Verify read a message: their `MessageType`. */
export type MessageType = 'RAW' | 'DIGEST' | 'EXTERNAL_MU';

/** The name of a hash, as node:crypto has it. */
export type HashName = 'sha256' | 'sha384' | 'sha512';

/** Returns the bytes that are signed for a message; undefined if the message has the wrong length. */
type Input = (message: Uint8Array) => Uint8Array | undefined;

/** Signs and verifies with one private key and one signing algorithm. */
export interface Signer {
  /** What is signed for a message, for each message type that the algorithm accepts. */
  readonly inputs: Readonly<Partial<Record<MessageType, Input>>>;
  sign(input: Uint8Array): Uint8Array;
  /** @throws Error if the bytes do not have the form of a signature */
  verify(input: Uint8Array, signature: Uint8Array): boolean;
}

/** Signers for a private key, by the name that AWS gives to the signing algorithm. */
export type SigningAlgorithms<PrivateKey> = Readonly<Record<string, (privateKey: PrivateKey) => Signer>>;

/** The key pair of an asymmetric key. */
export interface KeyPair {
  /** The public key: a SubjectPublicKeyInfo in DER (RFC 5280, section 4.1). */
  spki(): Uint8Array;
  /** The private key: PKCS #8 in PEM (RFC 7468, section 10). */
  pem(): string;
  /** The signer for an algorithm; undefined if keys of this kind do not sign with it. */
  signer(algorithm: string): Signer | undefined;
}

/** What key pairs of one kind have in common. */
export interface KeyPairType {
  /** The names of the signing algorithms. */
  readonly signingAlgorithms: readonly string[];
  generate(): KeyPair;
  /** Reads a private key in PEM; undefined if it is not a key of this kind. */
  read(pem: string): KeyPair | undefined;
}

/** How private keys of one kind are generated, read and written, and what signs with them. */
interface Family<PrivateKey> {
  readonly algorithms: SigningAlgorithms<PrivateKey>;
  readonly generate: () => PrivateKey;
  readonly read: (pem: string) => PrivateKey | undefined;
  readonly spki: (privateKey: PrivateKey) => Uint8Array;
  readonly pem: (privateKey: PrivateKey) => string;
}

/** The type of the key pairs of a family. */
export function keyPairType<PrivateKey>(family: Family<PrivateKey>): KeyPairType {
  const pairOf = (privateKey: PrivateKey): KeyPair => ({
    spki: () => family.spki(privateKey),
    pem: () => family.pem(privateKey),
    signer: (algorithm) => family.algorithms[algorithm]?.(privateKey),
  });
  return {
    signingAlgorithms: Object.keys(family.algorithms),
    generate: () => pairOf(family.generate()),
    read: (pem) => {
      const privateKey = family.read(pem);
      return privateKey && pairOf(privateKey);
    },
  };
}

/** The type of key pairs that node:crypto holds. `fits` tells whether a key is of this kind. */
export function nodeKeyPairType(family: {
  readonly algorithms: SigningAlgorithms<KeyObject>;
  readonly generate: () => { readonly privateKey: KeyObject };
  readonly fits: (privateKey: KeyObject) => boolean;
}): KeyPairType {
  return keyPairType({
    algorithms: family.algorithms,
    generate: () => family.generate().privateKey,
    read: (pem) => {
      const privateKey = privateKeyIn(pem);
      return privateKey && family.fits(privateKey) ? privateKey : undefined;
    },
    spki: (privateKey) => createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
    pem: (privateKey) => privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  });
}

function privateKeyIn(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    // It is not a private key, or one that this version of Node does not know.
    return undefined;
  }
}

/** The inputs of an algorithm that signs a hash: RAW messages are hashed, a DIGEST is a hash. */
export function hashedBy(hash: HashName): Signer['inputs'] {
  const hashed = (message: Uint8Array) => createHash(hash).update(message).digest();
  return { RAW: hashed, DIGEST: ofLength(hashed(new Uint8Array()).length) };
}

/** An input that is the message itself, which must have `length` bytes. */
export function ofLength(length: number): Input {
  return (message) => (message.length === length ? message : undefined);
}
