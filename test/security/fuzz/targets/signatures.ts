import * as fc from 'fast-check';
import { type AlgorithmName, TokenError } from 'nestjs-kms-jwt';
import { NAMES, ROWS } from '../../../algorithms/support.js';
import { headerFor, inputFor, type SignerKeys } from '../../algorithm-keys.js';
import { CURVES, type EcdsaName, twin } from '../../cases/each-algorithm/ecdsa.js';
import { AUDIENCE, ISSUER } from '../../support.js';
import { changed, changesOfBytes } from '../arbitraries.js';
import { type Service, startService } from '../service.js';
import { must, outcomeOf, type Target } from '../target.js';

/** Contents that are signed in advance, for each algorithm. */
const CONTENTS = 2;

interface Signed {
  readonly input: string;
  /** All known signatures of the input. */
  readonly good: readonly Buffer[];
}

interface Algorithm {
  readonly alg: AlgorithmName;
  readonly keys: SignerKeys;
  readonly cached: Service;
  readonly uncached: Service;
  readonly tokens: readonly Signed[];
}

interface Input {
  readonly alg: AlgorithmName;
  readonly input: string;
  readonly signature: Buffer;
}

/** For each algorithm, `verify` accepts only the signatures that the key made over a token. */
export async function signatures(): Promise<Target<Input>> {
  const algorithms = await Promise.all(NAMES.map(start));

  return {
    // Without ML-DSA in node:crypto, it takes a hundred times as long as the others.
    inputs: fc.oneof(
      ...algorithms.map((own) => ({
        weight: own.alg.startsWith('ML-DSA') ? 1 : 4,
        arbitrary: inputsOf(own, algorithms),
      })),
    ),
    async judge({ alg, input, signature }) {
      const { cached, uncached, tokens } = algorithms.find((one) => one.alg === alg) as Algorithm;
      const isGood = tokens.some(
        (one) => one.input === input && one.good.some((good) => good.equals(signature)),
      );
      const token = `${input}.${signature.toString('base64url')}`;
      const verdicts: string[] = [];
      // A token is cached at its second verification, so the third is answered from the cache.
      for (const { jwt } of [cached, cached, cached, uncached]) {
        const options = { issuer: ISSUER, audience: AUDIENCE };
        const { verdict, error } = await outcomeOf(TokenError, () => jwt.verify(token, options));
        must(!error === isGood, `${alg} had to be ${isGood ? 'accepted' : 'refused'}: ${verdict}`);
        verdicts.push(verdict);
      }
      must(new Set(verdicts).size === 1, 'The verdict changes with the cache');
      return verdicts[0] as string;
    },
    async close() {
      await Promise.all(algorithms.flatMap(({ cached, uncached }) => [cached.close(), uncached.close()]));
    },
  };
}

async function start(alg: AlgorithmName): Promise<Algorithm> {
  const trusted = { ...ROWS[alg].newKey(), kid: 'the-key' };
  const keys = { alg, trusted, now: Math.floor(Date.now() / 1000) };
  const jwks = { keys: [{ ...trusted.jwk, kid: trusted.kid, alg }] } as never;
  const cached = await startService({ jwks, algorithm: alg });
  const uncached = await startService({ jwks, algorithm: alg, cache: false });
  const tokens = Array.from({ length: CONTENTS }, (_, n) => {
    const input = inputFor(keys, {}, { n });
    const signature = Buffer.from(keys.trusted.sign(Buffer.from(input)));
    return { input, good: isEcdsa(alg) ? [signature, twin(signature, alg)] : [signature] };
  });
  return { alg, keys, cached, uncached, tokens };
}

function isEcdsa(alg: AlgorithmName): alg is EcdsaName {
  return Object.hasOwn(CURVES, alg);
}

function inputsOf({ alg, keys, tokens }: Algorithm, all: readonly Algorithm[]): fc.Arbitrary<Input> {
  const signed = fc.constantFrom(...tokens);
  const foreign = fc.constantFrom(...all.flatMap((one) => one.tokens.flatMap(({ good }) => good)));
  const otherAlg = fc.constantFrom(...NAMES, 'none', 'HS256', '');
  const of = (inputs: fc.Arbitrary<Omit<Input, 'alg'>>) => inputs.map((input) => ({ alg, ...input }));
  const one = signed.chain(({ input, good }) =>
    fc.record({ input: fc.constant(input), signature: fc.constantFrom(...good) }),
  );

  return fc.oneof(
    { weight: 1, arbitrary: of(one) },
    {
      weight: 4,
      arbitrary: of(
        fc
          .tuple(one, changesOfBytes)
          .map(([{ input, signature }, changes]) => ({ input, signature: changed(signature, changes) })),
      ),
    },
    {
      weight: 3,
      arbitrary: of(
        fc
          .tuple(one, fc.nat(), fc.nat(7))
          .map(([{ input, signature }, at, bit]) => ({ input, signature: flipped(signature, at, bit) })),
      ),
    },
    {
      weight: 2,
      arbitrary: of(
        fc
          .tuple(one, fc.nat(), fc.nat(), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff))
          .map(([{ input, signature }, from, length, byte]) => ({
            input,
            signature: filled(signature, from, length, byte),
          })),
      ),
    },
    { weight: 1, arbitrary: of(fc.record({ input: signed.map(({ input }) => input), signature: foreign })) },
    {
      weight: 1,
      arbitrary: of(
        fc.tuple(one, otherAlg).map(([{ input, signature }, other]) => ({
          input: withHeader(input, { ...headerFor(keys), alg: other }),
          signature,
        })),
      ),
    },
    {
      weight: 1,
      arbitrary: of(
        fc
          .tuple(one, fc.uint8Array({ maxLength: 300 }))
          .map(([{ input }, octets]) => ({ input, signature: Buffer.from(octets) })),
      ),
    },
  );
}

function flipped(good: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(good);
  const index = at % copy.length;
  copy[index] = (copy[index] ?? 0) ^ (1 << bit);
  return copy;
}

function filled(good: Buffer, from: number, length: number, byte: number): Buffer {
  const first = from % good.length;
  return Buffer.from(good).fill(byte, first, Math.min(first + 1 + (length % good.length), good.length));
}

function withHeader(input: string, header: object): string {
  return `${Buffer.from(JSON.stringify(header)).toString('base64url')}${input.slice(input.indexOf('.'))}`;
}
