import type { StandardSchemaV1 } from '@standard-schema/spec';
import { isPromise } from '../async/is-promise.js';
import { SchemaUnavailableError, TokenClaimError } from '../errors/errors.js';
import type { JwtClaims } from '../jwt/claims.js';
import { askWithin } from './ask-within.js';

/**
 * The claims as a schema returns them.
 *
 * @param timeout the time limit of an asynchronous schema, in milliseconds
 * @throws TokenClaimError for claims that do not match; SchemaUnavailableError if there is no answer
 */
export async function parseClaims(
  claims: JwtClaims,
  schema: StandardSchemaV1,
  timeout: number,
): Promise<unknown> {
  const answer = validate(claims, schema);
  if (!isPromise(answer)) return outputOf(answer);
  const ask = async () => answer;
  return outputOf(await askWithin(timeout, ask, 'The schema', SchemaUnavailableError));
}

type SchemaResult = StandardSchemaV1.Result<unknown>;

function validate(claims: JwtClaims, schema: StandardSchemaV1): SchemaResult | Promise<SchemaResult> {
  try {
    return schema['~standard'].validate(claims);
  } catch {
    // A schema that throws refuses the token. The exception, like the messages of issues, may quote the value.
    throw mismatch();
  }
}

function outputOf(result: SchemaResult): unknown {
  let claim: string | undefined;
  try {
    if (!result.issues) return result.value;
    claim = claimOf(result.issues[0]);
  } catch {
    // The schema did not return a valid result.
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
  // A schema that accepts any claim reports names from the token.
  return typeof claim === 'string' && /^[\w.:/-]{1,100}$/.test(claim) ? claim : undefined;
}
