import { TokenMalformedError } from '../errors/errors.js';
import { canonicalType, parseObject, readText } from './compact.js';
import { MAX_KID_LENGTH } from './jwk.js';

/** The header of a token, checked as far as that needs neither options nor a key. Many tokens share one. */
export interface ReceivedHeader {
  /** As received. It is parsed anew for each caller that needs an object, as the header is shared. */
  readonly text: string;
  readonly alg: unknown;
  /** In canonical form, if it is a string. */
  readonly typ: unknown;
  /** Undefined if no key can have it. */
  readonly kid: string | undefined;
}

/** @throws TokenMalformedError for a header that is no JSON object, or that asks for what is not supported */
export function readHeader(encoded: string): ReceivedHeader {
  const text = readText('header', encoded);
  const header = parseObject('header', text);
  // RFC 7515, section 4.1.11: an extension that is not understood must be refused, and none is; RFC 7797 is one.
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

/** @throws TokenMalformedError unless the header has the type; without one, unless it has none or `JWT` */
export function checkType({ typ }: ReceivedHeader, expected: string | undefined): void {
  const isExpected = expected === undefined ? typ === undefined || typ === 'jwt' : typ === expected;
  if (!isExpected) throw new TokenMalformedError('The token is not of the expected typ');
}

function isKid(kid: unknown): kid is string {
  return typeof kid === 'string' && kid !== '' && kid.length <= MAX_KID_LENGTH;
}
