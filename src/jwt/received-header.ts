import { TokenMalformedError } from '../errors/errors.js';
import { canonicalType, parseObject, readText } from './compact.js';
import { MAX_KID_LENGTH } from './jwk.js';

/** The header of a token, after all checks that need neither options nor a key. Many tokens share one. */
export interface ReceivedHeader {
  /** As received. Because the header is shared, it is parsed again for each caller that needs an object. */
  readonly text: string;
  readonly alg: unknown;
  /** In canonical form, if it is a string. */
  readonly typ: unknown;
  /** Undefined if no key can have it. */
  readonly kid: string | undefined;
}

/** @throws TokenMalformedError for a header that is not a JSON object, or that requires an extension */
export function readHeader(encoded: string): ReceivedHeader {
  const text = readText('header', encoded);
  const header = parseObject('header', text);
  // RFC 7515, section 4.1.11: an extension that is not understood must be refused, and none is understood; RFC 7797 is one.
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) {
    throw new TokenMalformedError('The header parameters crit and b64 are not supported');
  }
  // RFC 7516, section 9: this parameter distinguishes a JWE from a JWS.
  if (Object.hasOwn(header, 'enc')) throw new TokenMalformedError('Encrypted tokens (JWE) are not supported');
  const { alg, typ, kid } = header;
  return {
    text,
    alg,
    typ: typeof typ === 'string' ? canonicalType(typ) : typ,
    kid: isKid(kid) ? kid : undefined,
  };
}

/** @throws TokenMalformedError unless `typ` is the expected one; if none is expected, unless it is `JWT` or absent */
export function checkType({ typ }: ReceivedHeader, expected: string | undefined): void {
  const isExpected = expected === undefined ? typ === undefined || typ === 'jwt' : typ === expected;
  if (!isExpected) throw new TokenMalformedError('The token is not of the expected typ');
}

function isKid(kid: unknown): kid is string {
  return typeof kid === 'string' && kid !== '' && kid.length <= MAX_KID_LENGTH;
}
