import {
  InsufficientScopeError,
  type KmsJwtError,
  KmsJwtOptionsError,
  TokenAmbiguousError,
  TokenError,
  TokenMissingError,
} from '../errors/errors.js';
import { codeOf, nameOf } from '../errors/redacted-cause.js';
import { log } from '../events/log.js';

/** What a client is told of an error, whatever the transport. */
export interface Refusal {
  /** The HTTP status that says it best; other transports translate it. */
  status: 400 | 401 | 403 | 500 | 503;
  /** The error's own message where the fault is the client's, else nothing but the name of the status. */
  message: string;
  /** The error's stable code. */
  errorCode: string;
}

/**
 * What to tell the client. What is not the client's fault is logged, as nobody else hears of it: 503 for what KMS or the
 * revocation check cannot do now, 500 for what is wrong in the program.
 */
export function refusalOf(error: KmsJwtError): Refusal {
  const { code: errorCode, message } = error;
  if (error instanceof TokenError) return { status: 401, message, errorCode };
  if (error instanceof InsufficientScopeError) return { status: 403, message, errorCode };
  if (error instanceof TokenAmbiguousError) return { status: 400, message, errorCode };

  log.error(`${error.name}: ${message}${causeOf(error)}`);
  if (error instanceof KmsJwtOptionsError)
    return { status: 500, message: 'Internal Server Error', errorCode };
  return { status: 503, message: 'Service Unavailable', errorCode };
}

// The message of a cause may quote what was sent.
function causeOf({ cause }: KmsJwtError): string {
  if (!(cause instanceof Error)) return '';
  const code = codeOf(cause);
  return ` (caused by ${nameOf(cause)}${code === undefined ? '' : ` ${code}`})`;
}

/** The challenge that an HTTP answer carries in `WWW-Authenticate`, if any (RFC 6750, section 3). */
export function challengeOf(error: KmsJwtError): string | undefined {
  if (error instanceof TokenMissingError) return 'Bearer';
  if (error instanceof TokenError) return challenge('invalid_token', error.message);
  if (error instanceof TokenAmbiguousError) return challenge('invalid_request', error.message);
  if (!(error instanceof InsufficientScopeError)) return undefined;
  return `${challenge('insufficient_scope', error.message)}, scope="${printable(error.scopes.join(' '))}"`;
}

function challenge(error: string, description: string): string {
  return `Bearer error="${error}", error_description="${printable(description)}"`;
}

// RFC 6750, section 3: printable ASCII without quotation mark and backslash.
function printable(text: string): string {
  return text.replace(/[^\x20\x21\x23-\x5b\x5d-\x7e]/g, '?');
}
