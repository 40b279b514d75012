import { isDeepStrictEqual } from 'node:util';
import { Test } from '@nestjs/testing';
import {
  type JsonWebKeySet,
  KmsJwtModule,
  type KmsJwtModuleOptions,
  KmsJwtService,
  TokenError,
} from 'nestjs-kms-jwt';
import { NAMES } from '../algorithms/support.js';
import type { Ability, Trust } from './support.js';
import type { Verifier } from './verifier.js';

/**
 * A service of this library that trusts the keys; the caller has to close it.
 *
 * @param cache if true, each token is verified three times, and all verdicts must be the same
 */
export async function startOurs(
  { alg, jwks }: Trust,
  maxTokenLength?: number,
  cache: KmsJwtModuleOptions['cache'] = {},
): Promise<Verifier & { service: KmsJwtService; close: () => Promise<void> }> {
  const module = await Test.createTestingModule({
    imports: [
      KmsJwtModule.forRoot({
        jwks: jwks as unknown as JsonWebKeySet,
        algorithm: alg,
        limits: { maxTokenLength },
        cache,
      }),
    ],
  }).compile();
  await module.init();
  const service = module.get(KmsJwtService);
  return {
    name: 'nestjs-kms-jwt',
    algorithms: new Set(NAMES),
    abilities: new Set<Ability>([
      'audience',
      'issuer',
      'subject',
      'jwtid',
      'nonce',
      'requiredClaims',
      'typ',
      'maxAge',
      'clockTolerance',
      'clockTimestamp',
      'expectsByExpression',
      'maxTokenLength',
      'refusesBoundTokens',
      'refusesBytes',
      'refusesOtherTypes',
      'reportsDates',
    ]),
    verify: async (token, options) => {
      const verify = () => service.verify(token as string, options);
      return cache ? repeatedly(verify) : verify();
    },
    isRefusal: (error) => error instanceof TokenError,
    service,
    close: () => module.close(),
  };
}

/**
 * Verifies three times: a token is cached at its second verification, so the third is answered from the cache.
 *
 * @throws the error of all calls; another Error if their outcomes differ
 */
async function repeatedly(verify: () => Promise<unknown>): Promise<unknown> {
  const [first] = await Promise.allSettled([verify()]);
  for (let time = 2; time <= 3; time += 1) {
    const [again] = await Promise.allSettled([verify()]);
    if (!isDeepStrictEqual(outcomeOf(first), outcomeOf(again)))
      throw new Error(`Verdict ${time} is another than the first`);
  }
  if (first.status === 'rejected') throw first.reason;
  return first.value;
}

function outcomeOf(settled: PromiseSettledResult<unknown>): unknown {
  return settled.status === 'fulfilled' ? settled.value : String(settled.reason);
}
