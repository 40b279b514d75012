import * as fc from 'fast-check';
import { TokenError } from 'nestjs-kms-jwt';
import { ORDER, toBytes, toInteger } from '../../cases/signatures.js';
import { hostile, leftOpen, valid } from '../../corpus.js';
import { mutate, seeded } from '../../mutations.js';
import {
  AUDIENCE,
  goodClaims,
  goodHeader,
  ISSUER,
  jwksOf,
  type Keys,
  newKeys,
  partsOf,
  seal,
} from '../../support.js';
import { anything, bytes, changed, changesOfBytes, disturbed, json, spelled, text } from '../arbitraries.js';
import { type Service, startService } from '../service.js';
import { areSameJson, must, outcomeOf, type Target } from '../target.js';
import { contentsOf, isGood } from '../token-verdict.js';

/** `verify` accepts exactly the tokens that an independent implementation accepts, and returns their claims unchanged. */
export async function tokens(): Promise<Target> {
  const keys = newKeys();
  const cached = await startService({ jwks: jwksOf(keys) });
  const uncached = await startService({ jwks: jwksOf(keys), cache: false });
  const options = { issuer: ISSUER, audience: AUDIENCE, clockTimestamp: keys.now };

  return {
    inputs: hostileTokens(keys),
    async close() {
      await Promise.all([cached.close(), uncached.close()]);
    },
    async judge(token) {
      const verifyBy = ({ jwt }: Service) =>
        outcomeOf(TokenError, () => jwt.verify(token as string, options));
      const { verdict, value, error } = await verifyBy(cached);
      const isToPass = isGood(token, keys);
      must(!error === isToPass, `It had to be ${isToPass ? 'accepted' : 'refused'}: ${verdict}`);
      if (!error) must(areSameJson(value, contentsOf(token)?.payload), 'It changed the claims');
      // A token is cached at its second verification, so the third is answered from the cache.
      for (const service of [cached, cached, uncached]) {
        const again = await verifyBy(service);
        must(
          again.verdict === verdict && areSameJson(again.value, value),
          'The verdict changes with the cache',
        );
      }
      return verdict;
    },
  };
}

/** Inputs instead of a token: mutants, valid signatures over hostile contents, and other values. */
export function hostileTokens(keys: Keys): fc.Arbitrary<unknown> {
  return fc.oneof(
    { weight: 6, arbitrary: signedContents(keys) },
    { weight: 3, arbitrary: mutants(keys) },
    {
      weight: 1,
      arbitrary: fc.array(fc.oneof(bytes, json.map(encodedJson)), { minLength: 1, maxLength: 5 }).map(joined),
    },
    { weight: 1, arbitrary: fc.oneof(text, bytes, anything) },
  );
}

/** Valid signatures over hostile contents, and slightly wrong ones. */
function signedContents(keys: Keys): fc.Arbitrary<string> {
  const header = spelled(disturbed(goodHeader(keys)));
  const payload = spelled(disturbed({ ...goodClaims(keys), nbf: keys.now, roles: [{ name: 'admin' }] }));
  const signers = [keys.privateKey, keys.privateKey, keys.privateKey, keys.attacker.privateKey];
  return fc
    .tuple(header, payload, fc.constantFrom(...signers), otherSignature)
    .map(([head, body, signer, respell]) => {
      const [first, second, signature] = partsOf(
        seal(head.toString('base64url'), body.toString('base64url'), signer),
      );
      return joined([first, second, respell(Buffer.from(signature, 'base64url'))]);
    });
}

const otherSignature: fc.Arbitrary<(good: Buffer) => Buffer> = fc.oneof(
  { weight: 8, arbitrary: fc.constant((good: Buffer) => good) },
  { weight: 1, arbitrary: fc.constant(twin) },
  { weight: 1, arbitrary: changesOfBytes.map((changes) => (good: Buffer) => changed(good, changes)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 66 }).map((octets) => () => Buffer.from(octets)) },
);

/** (r, n - s) is as valid a signature as (r, s). */
export function twin(good: Buffer): Buffer {
  return Buffer.concat([good.subarray(0, 32), toBytes(ORDER - toInteger(good.subarray(32)))]);
}

function mutants(keys: Keys): fc.Arbitrary<string> {
  const cases = [...Object.values(hostile).flat(), ...valid, ...leftOpen];
  const originals = cases
    .map(({ make }) => make(keys))
    .filter((token): token is string => typeof token === 'string' && token.length < 4096);
  return fc
    .tuple(fc.constantFrom(...originals), fc.integer(), fc.integer({ min: 0, max: 3 }))
    .map(([original, seed, times]) => {
      const random = seeded(seed);
      return Array.from({ length: times }).reduce<string>(
        (token) => (token.split('.').length === 3 && token.length > 60 ? mutate(token, random) : token),
        original,
      );
    });
}

const encodedJson = (value: unknown) => Buffer.from(JSON.stringify(value));
const joined = (parts: (string | Buffer)[]) =>
  parts.map((part) => (typeof part === 'string' ? part : part.toString('base64url'))).join('.');
