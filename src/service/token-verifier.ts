import type { StandardSchemaV1 } from '@standard-schema/spec';
import {
  RevocationUnavailableError,
  SchemaUnavailableError,
  TokenClaimError,
  TokenKeyUnknownError,
  TokenMalformedError,
  TokenRevokedError,
  TokenSignatureError,
} from '../errors/errors.js';
import { checkClaims, type JwtClaims } from '../jwt/claims.js';
import { canonicalType, type CompactJws, type JwtHeader, parseCompact } from '../jwt/compact.js';
import { MAX_KID_LENGTH } from '../jwt/jwk.js';
import { isSignatureValid } from '../jwt/signature.js';
import { redactedCause } from '../errors/redacted-cause.js';
import type { KeyRing } from '../keys/key-ring.js';
import type { KmsJwtSettings, LimitSettings, VerifySettings } from '../options/settings.js';
import { withDeadline } from '../async/deadline.js';

/** A token that verified: its parts, and its claims as the schema, if there is one, returns them. */
export interface VerifiedToken {
  jws: CompactJws;
  claims: unknown;
}

export type VerifierSettings = Pick<KmsJwtSettings, 'isRevoked'> &
  Pick<LimitSettings, 'maxTokenLength' | 'timeout'>;

/** Verifies a token, from its length to its last claim. Only an unknown `kid` can trigger a look-up. */
export class TokenVerifier {
  constructor(
    private readonly ring: KeyRing,
    private readonly settings: VerifierSettings,
  ) {}

  /** @param now the time, in seconds since 1970 */
  async verify(token: unknown, options: VerifySettings, now: () => number): Promise<VerifiedToken> {
    const jws = parseCompact(token, this.settings.maxTokenLength);
    checkHeader(jws.header, options.typ);

    const key = await this.ring.find(kidOf(jws.header));
    if (!key) throw new TokenKeyUnknownError();
    // RFC 8725, section 3.1: the algorithm is the key's; the token may only agree.
    if (jws.header.alg !== key.algorithm.alg) {
      throw new TokenSignatureError('The algorithm of the token is not that of the key');
    }
    if (!isSignatureValid(jws.signingInput, jws.signature, key.publicKey, key.algorithm)) {
      throw new TokenSignatureError();
    }

    checkClaims(jws.payload, options, options.clockTimestamp ?? now());
    if (!options.schema && !this.settings.isRevoked) return { jws, claims: jws.payload };

    const claims = options.schema ? await this.parse(jws.payload, options.schema) : jws.payload;
    await this.checkRevocation(jws);
    // While the app's own checks ran, the token may have expired, and its key may have been distrusted.
    checkClaims(jws.payload, options, options.clockTimestamp ?? now());
    if (!this.ring.trusts(key)) throw new TokenKeyUnknownError();
    return { jws, claims };
  }

  /** @throws TokenRevokedError, RevocationUnavailableError */
  async checkRevocation({ payload, header }: CompactJws): Promise<void> {
    const { isRevoked, timeout } = this.settings;
    if (!isRevoked) return;
    const ask = async () => isRevoked(payload, header);
    const answer: unknown = await askWithin(timeout, ask, 'isRevoked', RevocationUnavailableError);
    if (answer === true) throw new TokenRevokedError();
    if (answer !== false) throw new RevocationUnavailableError('isRevoked must return true or false');
  }

  private async parse(claims: JwtClaims, schema: StandardSchemaV1): Promise<unknown> {
    const answer = validate(claims, schema);
    if (!isPromise(answer)) return outputOf(answer);
    const ask = async () => answer;
    return outputOf(await askWithin(this.settings.timeout, ask, 'The schema', SchemaUnavailableError));
  }
}

/**
 * Asks the app's own code, within a time limit.
 *
 * @param what the subject of the error message
 * @param Unavailable the error if there is no answer; the app may reject with one itself
 */
async function askWithin<Answer>(
  timeout: number,
  ask: () => Promise<Answer>,
  what: string,
  Unavailable: new (message: string, options?: ErrorOptions) => Error,
): Promise<Answer> {
  try {
    return await withDeadline(
      ask,
      timeout,
      () => new Unavailable(`${what} did not answer within ${timeout} ms`),
    );
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    // A client of a database quotes the command that failed, and the claim in it.
    const cause = redactedCause(error, 'Left out, as it may quote the claims');
    throw new Unavailable(`${what} failed`, { cause });
  }
}

function checkHeader(header: JwtHeader, typ: string | undefined): void {
  // RFC 7515, section 4.1.11: an extension that is not understood must be refused, and none is; RFC 7797 is one.
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) {
    throw new TokenMalformedError('The header parameters crit and b64 are not supported');
  }
  // RFC 7516, section 9: this parameter distinguishes a JWE from a JWS.
  if (Object.hasOwn(header, 'enc')) throw new TokenMalformedError('Encrypted tokens (JWE) are not supported');
  const given = typeof header.typ === 'string' ? canonicalType(header.typ) : header.typ;
  const isExpected = typ === undefined ? given === undefined || given === 'jwt' : given === typ;
  if (!isExpected) throw new TokenMalformedError('The token is not of the expected typ');
}

function kidOf({ kid }: JwtHeader): string {
  // No key can have such a kid: a refresh would be in vain.
  if (typeof kid !== 'string' || kid === '' || kid.length > MAX_KID_LENGTH) throw new TokenKeyUnknownError();
  return kid;
}

type SchemaResult = StandardSchemaV1.Result<unknown>;

function validate(claims: JwtClaims, schema: StandardSchemaV1): SchemaResult | Promise<SchemaResult> {
  try {
    return schema['~standard'].validate(claims);
  } catch {
    // A schema that throws refuses the token; what it throws may quote the value, as the messages of issues may.
    throw mismatch();
  }
}

// Not instanceof: the promise may come from another realm.
function isPromise(answer: SchemaResult | Promise<SchemaResult>): answer is Promise<SchemaResult> {
  return typeof (answer as Partial<Promise<SchemaResult>> | undefined)?.then === 'function';
}

function outputOf(result: SchemaResult): unknown {
  let claim: string | undefined;
  try {
    if (!result.issues) return result.value;
    claim = claimOf(result.issues[0]);
  } catch {
    // The schema returned no result.
  }
  throw mismatch(claim);
}

function mismatch(claim?: string): TokenClaimError {
  return claim === undefined
    ? new TokenClaimError('(all)', 'schema', 'The claims do not match the schema')
    : new TokenClaimError(claim, 'schema', `The ${claim} claim does not match the schema`);
}

function claimOf(issue: StandardSchemaV1.Issue | undefined): string | undefined {
  const segment = issue?.path?.[0];
  const claim = typeof segment === 'object' ? segment.key : segment;
  // A schema for any claim names what the token named.
  return typeof claim === 'string' && /^[\w.:/-]{1,100}$/.test(claim) ? claim : undefined;
}
