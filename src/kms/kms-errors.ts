import { blockedFor, within } from '../async/deadline.js';
import {
  KmsAccessDeniedError,
  type KmsJwtError,
  KmsJwtOptionsError,
  KmsKeyError,
  KmsSignatureError,
  KmsUnavailableError,
  type TokenError,
  TokenKeyDisabledError,
  TokenSignatureError,
} from '../errors/errors.js';
import { codeOf, nameOf, redactedCause } from '../errors/redacted-cause.js';

const THROTTLING = new Set([
  'ThrottlingException',
  'Throttling',
  'ThrottledException',
  'RequestThrottled',
  'RequestThrottledException',
  'RequestLimitExceeded',
  'TooManyRequestsException',
  'SlowDown',
]);

const CREDENTIALS = new Set([
  'CredentialsProviderError',
  'TokenProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'UnrecognizedClientException',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'IncompleteSignature',
  'IncompleteSignatureException',
  'MissingAuthenticationToken',
  'MissingAuthenticationTokenException',
  'MissingAuthenticationException',
  'NotAuthorized',
  'OptInRequired',
  'RequestExpired',
  'RequestTimeTooSkewed',
]);

const REQUIRED_KEY =
  'a key spec that fits the option algorithm (by default ECC_NIST_P256), and the key usage SIGN_VERIFY';

const KEY_PROBLEMS: ReadonlyMap<string, string> = new Map([
  [
    'NotFoundException',
    'there is no such key or alias in this account and Region: check keyId and client.region',
  ],
  ['InvalidArnException', 'the ARN is not valid: check keyId'],
  ['DisabledException', 'the key is disabled: enable it with aws kms enable-key'],
  [
    'KMSInvalidStateException',
    'the key is pending deletion, or in another state that does not allow it: use another key, or aws kms cancel-key-deletion and then aws kms enable-key',
  ],
  ['InvalidKeyUsageException', `the key has the wrong spec or usage: it must have ${REQUIRED_KEY}`],
  ['UnsupportedOperationException', `the key is not an asymmetric key: it must have ${REQUIRED_KEY}`],
  ['ValidationException', 'the request is not valid: check keyId'],
]);

function keyProblemOf(name: string, keyId: string): string | undefined {
  if (name !== 'NotFoundException' || !isBareName(keyId)) return KEY_PROBLEMS.get(name);
  return `there is no such key id: the name of an alias has the prefix alias/, as in alias/${keyId}`;
}

/** Whether this can be the name of an alias without its prefix: neither an ARN nor a key id of AWS. */
function isBareName(keyId: string): boolean {
  return !keyId.includes('/') && !/^(?:mrk-)?[\da-f-]{32,36}$/.test(keyId);
}

/** The messages of the SDK for an unusable result of a credential provider: no object, no keys, no Date as `expiration`. */
const INVALID_CREDENTIALS =
  /^Resolved credential object is not valid|^Cannot read properties of (?:undefined|null) \(reading 'expiration'\)|^identity\.expiration\.getTime is not a function/;
const MISSING_REGION = /^Region is missing|^expected `region` to be configured/;

/** Whether AWS, or a credential provider of the SDK, says that the credentials are not valid, expired or missing. */
export function isCredentialsError(error: unknown): boolean {
  return CREDENTIALS.has(describe(error).name);
}

/**
 * Translates an error of the AWS SDK into one of this library, by its `name`: the SDK has no classes for most errors. The
 * `cause` has the message of AWS for GetPublicKey only: for other operations, that message may quote the request.
 *
 * @param wasSent whether a request was sent to KMS; if not, the credentials, the Region or the endpoint could not be determined
 */
export function translateKmsError(
  error: unknown,
  operation: string,
  keyId: string,
  wasSent: boolean,
): KmsJwtError {
  const { name, message, status, code } = describe(error);
  const call = `${operation} with ${keyId}`;
  // A GetPublicKey request contains only the name of the key. The message of a credential provider may contain a secret.
  const causeMessage =
    operation === 'GetPublicKey' && wasSent ? message : 'Omitted, as it may quote the request';
  const cause = { cause: redactedCause(error, causeMessage) };

  const isThrottled = THROTTLING.has(name) || status === 429;
  const isDenied = name === 'AccessDeniedException' || name === 'AccessDenied';
  if (wasSent && isThrottled) {
    const advice = 'all keys of the account and Region share the quota of cryptographic operations';
    return new KmsUnavailableError('throttled', `KMS throttled ${call} (${name}): ${advice}`, cause);
  }
  if (wasSent && isDenied) {
    const advice = `allow kms:${operation} on the key in this role's policy and in the key policy`;
    return new KmsAccessDeniedError(`AWS denied ${call} (${name}): ${advice}`, cause);
  }
  if (isDenied || CREDENTIALS.has(name)) {
    const advice = 'check the credentials of this process, their expiry and the system clock';
    const problem = `The AWS credentials for ${call} are missing or not valid (${name})`;
    return new KmsAccessDeniedError(`${problem}: ${advice}`, cause);
  }
  const tokenError = operation === 'Verify' ? tokenErrorFor(name, cause) : undefined;
  if (tokenError) return tokenError;
  const keyProblem = keyProblemOf(name, keyId);
  if (keyProblem) return new KmsKeyError(`KMS refused ${call} (${name}): ${keyProblem}`, cause);
  if (MISSING_REGION.test(message)) {
    return new KmsJwtOptionsError(
      'client.region',
      'is missing: set it, or the environment variable AWS_REGION',
      cause,
    );
  }
  const isUnreachable = code !== undefined || name === 'TimeoutError';
  if (!wasSent) {
    if (INVALID_CREDENTIALS.test(message)) {
      return new KmsAccessDeniedError(
        `The credentials for ${call} are not valid (${name}): ${CREDENTIALS_SHAPE}`,
        cause,
      );
    }
    const reason = isThrottled ? 'throttled' : isUnreachable ? 'network' : 'failure';
    return new KmsUnavailableError(
      reason,
      `No request was sent for ${call} (${code ?? name}): ${CHECK_PROVIDERS}`,
      cause,
    );
  }
  if (isUnreachable) {
    const kind = code ?? name;
    return new KmsUnavailableError(
      'network',
      `KMS could not be reached for ${call} (${kind}): ${kind === 'ECONNREFUSED' ? CHECK_ENDPOINT : CHECK_NETWORK}`,
      cause,
    );
  }
  const kind = status === undefined ? name : `${name}, HTTP ${status}`;
  if (operation === 'Sign' && status !== undefined && status < 300) {
    return new KmsSignatureError(
      `The KMS reply to Sign (${keyId}) contains no valid signature: ${kind}`,
      cause,
    );
  }
  const advice =
    name === 'SyntaxError'
      ? 'the reply came from a proxy or a load balancer, not from KMS'
      : 'this is usually temporary; see AWS Health';
  return new KmsUnavailableError('failure', `KMS failed at ${call} (${kind}): ${advice}`, cause);
}

/** What KMS says about a token rather than about the call. */
function tokenErrorFor(name: string, cause: ErrorOptions): TokenError | undefined {
  switch (name) {
    case 'KMSInvalidSignatureException':
      return new TokenSignatureError(REFUSED_SIGNATURE, cause);
    // The owner of the key has disabled it, so the token is refused permanently: a 503 would ask the client to retry with it.
    case 'DisabledException':
    case 'KMSInvalidStateException':
      return new TokenKeyDisabledError(cause);
    default:
      return undefined;
  }
}

/** The message of a `TokenSignatureError` for a signature that was verified locally before. */
export const REFUSED_SIGNATURE = 'KMS does not accept the signature of the token';

const CHECK_NETWORK = 'check the network, the VPC endpoint and its policy';
const CHECK_ENDPOINT =
  'nothing listens at the endpoint; if AWS_ENDPOINT_URL_KMS is set, start the KMS that it names, or unset it';
const CREDENTIALS_SHAPE =
  '`client.credentials` must give an object with `accessKeyId` and `secretAccessKey`, and an `expiration` that is a Date or left out';
const CHECK_PROVIDERS =
  "check what provides this process's credentials: AWS STS, the metadata service or `client.credentials`; also `client.region` and `client.endpoint`, if they are functions";

/** Whether a timer of the SDK has ended a call, or the server has closed its connection. */
export function isTimeout(error: unknown): boolean {
  return describe(error).name === 'TimeoutError';
}

/**
 * Translates an error for which `isTimeout` is true, if the event loop was blocked during most of the call.
 *
 * @param wasSent whether a request was sent to KMS
 * @param blockedMs for how many milliseconds it was blocked
 */
export function blockedError(
  error: unknown,
  operation: string,
  keyId: string,
  wasSent: boolean,
  blockedMs: number,
): KmsUnavailableError {
  const { name, code } = describe(error);
  const call = `${operation} with ${keyId}`;
  const problem = wasSent ? `No answer of KMS to ${call} was read` : `No request was sent for ${call}`;
  const cause = { cause: redactedCause(error, 'Omitted, as it may quote the request') };
  return new KmsUnavailableError(
    'blocked',
    `${problem} (${code ?? name}), as ${blockedFor(blockedMs)}`,
    cause,
  );
}

/**
 * The error of a call that has exceeded its time limit.
 *
 * @param timeout in milliseconds
 * @param wasSent whether a request was sent to KMS
 * @param blockedMs for how many milliseconds the event loop was blocked; 0 unless this left the call less time than `timeout`
 */
export function timeoutError(
  operation: string,
  keyId: string,
  timeout: number,
  wasSent: boolean,
  blockedMs: number,
): KmsUnavailableError {
  const call = `${operation} with ${keyId}`;
  const problem = wasSent ? `KMS did not answer ${call}` : `No request was sent for ${call}`;
  const limit = within(timeout, blockedMs);
  if (blockedMs > 0) return new KmsUnavailableError('blocked', `${problem} ${limit}`);
  const advice = wasSent ? CHECK_NETWORK : CHECK_PROVIDERS;
  return new KmsUnavailableError('timeout', `${problem} ${limit}: ${advice}`);
}

function describe(error: unknown): { name: string; message: string; status?: number; code?: string } {
  if (!(error instanceof Error)) return { name: typeof error, message: '' };
  const { $metadata } = error as { $metadata?: { httpStatusCode?: number } };
  const code = codeOf(error);
  return {
    name: nameOf(error),
    message: error.message,
    ...($metadata?.httpStatusCode !== undefined && { status: $metadata.httpStatusCode }),
    ...(code !== undefined && { code }),
  };
}
