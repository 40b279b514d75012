import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { KMSClient } from '@aws-sdk/client-kms';
import * as fc from 'fast-check';
import { type AlgorithmName, KmsJwtError } from 'nestjs-kms-jwt';
import { NAMES, ROWS } from '../../../algorithms/support.js';
import { rsaPublicKey } from '../../../support/rsa-keys.js';
import { changed, changesOfBytes } from '../arbitraries.js';
import { identityOf, verdictOnJwk } from '../key-verdict.js';
import { startService } from '../service.js';
import { must, outcomeOf, type Target } from '../target.js';

const KEY_ID = 'arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab';

interface Input {
  readonly algorithm: AlgorithmName;
  readonly spki: Buffer;
  /** The key that must be published if these bytes are a key for the algorithm. */
  readonly jwk?: Readonly<Record<string, unknown>> | undefined;
}

/** With any answer of GetPublicKey, the service starts only with a valid key for the right algorithm. */
export async function spkis(): Promise<Target<Input>> {
  let answer: Buffer = Buffer.alloc(0);
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('Content-Type', 'application/x-amz-json-1.1');
    response.end(
      JSON.stringify({ KeyId: KEY_ID, KeyUsage: 'SIGN_VERIFY', PublicKey: answer.toString('base64') }),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = new KMSClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'eu-central-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });

  return {
    inputs: inputs(),
    async judge({ algorithm, spki, jwk }) {
      answer = spki;
      const {
        verdict,
        value: service,
        error,
      } = await outcomeOf(KmsJwtError, () => startService({ keyId: KEY_ID, algorithm, client }));
      must(!error || !jwk, `It refuses a key for ${algorithm}`);
      if (error) return verdict;
      try {
        const [key] = (await service.jwt.jwks()).keys;
        must(
          verdictOnJwk(key, [algorithm]) === 'trust',
          `It trusts a value that is not a key for ${algorithm}`,
        );
        must(key?.alg === algorithm, 'It published another algorithm');
        if (jwk) must(identityOf(key) === identityOf(jwk), 'It published another key');
        return verdict;
      } finally {
        await service.close();
      }
    },
    async close() {
      client.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Key {
  readonly spki: Buffer;
  readonly jwk: Readonly<Record<string, unknown>>;
  readonly algorithms: readonly AlgorithmName[];
}

function inputs(): fc.Arbitrary<Input> {
  const keys = [...NAMES.map(keyFor), ...otherKinds()];
  const algorithm = fc.constantFrom(...NAMES);
  const one = fc.constantFrom(...keys);
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom(...keys.slice(0, NAMES.length)).chain(({ spki, jwk, algorithms }) =>
        fc.record({
          algorithm: fc.constantFrom(...algorithms),
          spki: fc.constant(spki),
          jwk: fc.constant(jwk),
        }),
      ),
    },
    {
      weight: 1,
      arbitrary: fc.tuple(algorithm, one).map(([alg, { spki, jwk, algorithms }]) => ({
        algorithm: alg,
        spki,
        ...(algorithms.includes(alg) && { jwk }),
      })),
    },
    {
      weight: 4,
      arbitrary: one.chain(({ spki, algorithms }) =>
        fc.record({
          algorithm: algorithms.length > 0 ? fc.constantFrom(...algorithms) : algorithm,
          spki: changesOfBytes.map((changes) => changed(spki, changes)),
        }),
      ),
    },
    {
      weight: 2,
      // The identifier of one algorithm with a key for another.
      arbitrary: fc.tuple(algorithm, one, one).map(([alg, { spki: head }, { spki: tail }]) => ({
        algorithm: alg,
        spki: reassembled(head, tail),
      })),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        algorithm,
        spki: fc.uint8Array({ maxLength: 100 }).map((octets) => Buffer.from(octets)),
      }),
    },
  );
}

function keyFor(alg: AlgorithmName): Key {
  const { jwk } = ROWS[alg].newKey();
  const algorithms = NAMES.filter((name) => kindOf(name) === kindOf(alg));
  return { spki: spkiOf(jwk, alg), jwk, algorithms };
}

/** Algorithms that fit the same keys. */
function kindOf(alg: AlgorithmName): string {
  if (/^[RP]S/.test(alg)) return 'RSA';
  return alg === 'EdDSA' ? 'Ed25519' : alg;
}

/** The bytes before the key in its SubjectPublicKeyInfo (RFC 9881, section 4). */
const ML_DSA_PREFIXES: Record<string, string> = {
  'ML-DSA-44': '30820532300b06096086480165030403110382052100',
  'ML-DSA-65': '308207b2300b0609608648016503040312038207a100',
  'ML-DSA-87': '30820a32300b060960864801650304031303820a2100',
};

function spkiOf(jwk: Readonly<Record<string, unknown>>, alg: AlgorithmName): Buffer {
  const prefix = ML_DSA_PREFIXES[alg];
  if (prefix)
    return Buffer.concat([Buffer.from(prefix, 'hex'), Buffer.from(jwk['pub'] as string, 'base64url')]);
  return spkiOfKey(createPublicKey({ key: jwk as never, format: 'jwk' }));
}

const spkiOfKey = (key: KeyObject) => key.export({ format: 'der', type: 'spki' });

/** Keys for none of the algorithms. */
function otherKinds(): Key[] {
  const keys = [
    generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }).publicKey,
    generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).publicKey,
    generateKeyPairSync('ed448').publicKey,
    generateKeyPairSync('x25519').publicKey,
    rsaPublicKey(1024),
    rsaPublicKey(2048, 'rsa-pss'),
  ];
  return keys.map((key) => ({ spki: spkiOfKey(key), jwk: {}, algorithms: [] }));
}

/** The AlgorithmIdentifier of one key before the BIT STRING of another. */
function reassembled(head: Buffer, tail: Buffer): Buffer {
  const identifier = partsIn(head)[0];
  const body = Buffer.concat([identifier, partsIn(tail)[1]]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(body.length);
  return Buffer.concat([Buffer.from([0x30, 0x82]), length, body]);
}

function partsIn(spki: Buffer): [algorithm: Buffer, key: Buffer] {
  const start = spki[1] === 0x82 ? 4 : spki[1] === 0x81 ? 3 : 2;
  const long = spki[start + 1] === 0x81 ? 1 : spki[start + 1] === 0x82 ? 2 : 0;
  const length = long === 0 ? (spki[start + 1] ?? 0) : spki.readUIntBE(start + 2, long);
  const end = start + 2 + long + length;
  return [spki.subarray(start, end), spki.subarray(end)];
}
