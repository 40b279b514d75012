import type { CompleteJwt } from 'nestjs-kms-jwt';
import { TokenMalformedError } from 'nestjs-kms-jwt';
import { jwksOf, newKeys } from '../../support.js';
import { startService } from '../service.js';
import { areSameJson, must, outcomeOf, type Target } from '../target.js';
import { contentsOf } from '../token-verdict.js';
import { hostileTokens } from './tokens.js';

/** `decode` returns the header and the claims as they were sent, or throws. */
export async function decode(): Promise<Target> {
  const keys = newKeys();
  const { jwt, close } = await startService({ jwks: jwksOf(keys) });

  return {
    inputs: hostileTokens(keys),
    close,
    async judge(token) {
      const { verdict, value, error } = await outcomeOf<CompleteJwt>(TokenMalformedError, () =>
        jwt.decode(token as string, { complete: true }),
      );
      const contents = contentsOf(token);
      must(!error === (contents !== undefined), `It had to be ${contents ? 'read' : 'refused'}: ${verdict}`);
      if (error) return verdict;
      must(
        areSameJson([value.header, value.payload], [contents?.header, contents?.payload]),
        'It changed them',
      );
      must((token as string).endsWith(`.${value.signature}`), 'It changed the signature');
      return verdict;
    },
  };
}
