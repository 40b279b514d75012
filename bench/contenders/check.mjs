// Only contenders that verify correctly are timed.
import { makeClaims, signToken, forge } from '../tokens.mjs';

/** A contender accepts what it must refuse, or refuses what it must accept. */
export class ContenderError extends Error {}

/**
 * @param {ReturnType<typeof import('../tokens.mjs').makeKey>} key
 * @returns a valid token, and invalid tokens by the reason why they must be refused
 */
export function makeExamples(key) {
  const valid = signToken(key, makeClaims(0));
  const claims = makeClaims(1);
  return {
    valid,
    forged: { 'a forged signature': forge(valid) },
    otherwiseInvalid: {
      'another issuer': signToken(key, { ...claims, iss: 'https://other.example.com' }),
      'another audience': signToken(key, { ...claims, aud: 'invoices' }),
      'an exp in the past': signToken(key, { ...claims, exp: claims.iat - 60 }),
    },
  };
}

/**
 * @param {string} name
 * @param {(token: string) => unknown} verify returns `false`, throws or rejects for a token that it refuses
 * @param {ReturnType<typeof makeExamples>} examples
 * @param {{ signatureOnly?: boolean }} [options] for a contender that checks only the signature
 * @throws ContenderError (rejects with)
 */
export async function checkContender(name, verify, examples, { signatureOnly = false } = {}) {
  if (!(await isAccepted(verify, examples.valid))) throw new ContenderError(`${name} refuses a valid token`);
  const refused = signatureOnly ? examples.forged : { ...examples.forged, ...examples.otherwiseInvalid };
  for (const [why, token] of Object.entries(refused)) {
    if (await isAccepted(verify, token)) throw new ContenderError(`${name} accepts a token with ${why}`);
  }
}

async function isAccepted(verify, token) {
  try {
    return (await verify(token)) !== false;
  } catch {
    return false;
  }
}
