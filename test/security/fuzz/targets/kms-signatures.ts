import * as fc from 'fast-check';
import { type AlgorithmName, KmsSignatureError, type KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { ROWS } from '../../../algorithms/support.js';
import { integerOf } from '../../algorithm-keys.js';
import { CURVES, type EcdsaName } from '../../cases/each-algorithm/ecdsa.js';
import { partsOf } from '../../support.js';
import { changed, changesOfBytes } from '../arbitraries.js';
import { type Service, startService } from '../service.js';
import { must, outcomeOf, type Target } from '../target.js';
import { encoded, integersIn, REENCODINGS, sequence } from './der.js';

/** One algorithm for each encoding and length of KMS signatures. */
const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'ES256K',
  'RS256',
  'PS256',
  'Ed25519',
  'ML-DSA-44',
] as const satisfies AlgorithmName[];
const CONTENTS = 4;

interface Input {
  readonly alg: AlgorithmName;
  readonly n: number;
  readonly signature: Buffer;
}

interface Signer {
  readonly alg: AlgorithmName;
  readonly localKms: LocalKms;
  readonly service: Service;
  /** The existing signatures for each content, in the encoding of KMS. */
  readonly good: readonly (readonly Buffer[])[];
  readonly close: () => Promise<void>;
}

/** `sign` returns a token only for a valid signature of KMS in its one encoding. */
export async function kmsSignatures(): Promise<Target<Input>> {
  const signers = await Promise.all(ALGORITHMS.map(start));

  return {
    inputs: fc.oneof(...signers.map(inputsOf)),
    async judge({ alg, n, signature }) {
      const { localKms, service, good } = signers.find((one) => one.alg === alg) as Signer;
      const fault = localKms.inject({ kind: 'signature', signature, times: 1 });
      const { verdict, value, error } = await outcomeOf(KmsSignatureError, () => sign(service.jwt, n));
      fault.stop();
      const isGood = (good[n] ?? []).some((one) => one.equals(signature));
      must(!error === isGood, `${alg} had to be ${isGood ? 'accepted' : 'refused'}: ${verdict}`);
      if (!error) await service.jwt.verify(value);
      return verdict;
    },
    close: async () => void (await Promise.all(signers.map(({ close }) => close()))),
  };
}

const sign = (jwt: KmsJwtService, n: number) => jwt.sign({ n }, { noTimestamp: true });

async function start(alg: AlgorithmName): Promise<Signer> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth', keySpec: ROWS[alg].keySpec }] });
  const client = localKms.client({ maxAttempts: 1 });
  const service = await startService({ keyId: 'alias/auth', algorithm: alg, client });
  const good: Buffer[][] = [];
  for (let n = 0; n < CONTENTS; n += 1) {
    const [, , signature] = partsOf(await sign(service.jwt, n));
    good.push(asKmsEncodes(Buffer.from(signature, 'base64url'), alg));
  }
  const close = async () => {
    await service.close();
    client.destroy();
  };
  return { alg, localKms, service, good, close };
}

/** With (r, n - s), the second ECDSA signature for each one. */
function asKmsEncodes(signature: Buffer, alg: AlgorithmName): Buffer[] {
  if (!isEcdsa(alg)) return [signature];
  const { length, order } = CURVES[alg];
  const [r, s] = [signature.subarray(0, length), signature.subarray(length)].map(integerOf) as [
    bigint,
    bigint,
  ];
  return [s, order - s].map((one) => sequence(Buffer.concat([encoded(r), encoded(one)])));
}

function isEcdsa(alg: AlgorithmName): alg is EcdsaName {
  return Object.hasOwn(CURVES, alg);
}

function inputsOf({ alg, good }: Signer): fc.Arbitrary<Input> {
  const any = fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets));
  const nearly = (signatures: readonly Buffer[]) => {
    const one = fc.constantFrom(...signatures);
    const changes = fc.tuple(one, changesOfBytes).map(([octets, by]) => changed(octets, by));
    return fc.oneof(
      { weight: 1, arbitrary: one },
      { weight: 4, arbitrary: changes },
      { weight: 1, arbitrary: any },
      ...(isEcdsa(alg) ? encodings(one, CURVES[alg]) : []),
    );
  };
  return fc
    .nat(CONTENTS - 1)
    .chain((n) => fc.record({ alg: fc.constant(alg), n: fc.constant(n), signature: nearly(good[n] ?? []) }));
}

/** The same integers in other encodings, and other integers in the right encoding. */
function encodings(good: fc.Arbitrary<Buffer>, { length, order }: { length: number; order: bigint }) {
  const values = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** BigInt(8 * length + 8) }),
    fc.constantFrom(0n, 1n, order - 1n, order, order + 1n),
  );
  const integer = fc.tuple(values, fc.nat(2)).map(([value, padding]) => encoded(value, padding));
  const replaced = fc.tuple(good, integer, fc.constantFrom<0 | 1>(0, 1)).map(([octets, other, place]) =>
    sequence(
      Buffer.concat(
        integersIn(octets)
          .map((value) => encoded(value))
          .with(place, other),
      ),
    ),
  );
  const respelled = fc
    .tuple(good, fc.constantFrom(...REENCODINGS))
    .map(([octets, respell]) => respell(octets, order));
  return [
    { weight: 2, arbitrary: respelled },
    { weight: 1, arbitrary: replaced },
    { weight: 1, arbitrary: fc.tuple(integer, integer).map(([r, s]) => sequence(Buffer.concat([r, s]))) },
  ];
}
