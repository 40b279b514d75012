import {
  KmsAccessDeniedError,
  type KmsJwtError,
  KmsJwtOptionsError,
  KmsKeyError,
  KmsSignatureError,
  KmsUnavailableError,
} from '../errors/errors.js';
import { codeOf, nameOf, redactedCause } from '../errors/redacted-cause.js';
import { KEY_SPECS } from '../jwt/algorithms.js';

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

const REQUIRED_KEY = `${KEY_SPECS} for SIGN_VERIFY`;

const KEY_PROBLEMS: ReadonlyMap<string, string> = new Map([
  ['NotFoundException', 'there is no such key or alias in this account and Region'],
  ['InvalidArnException', 'the ARN is not valid'],
  ['DisabledException', 'the key is disabled: enable it with aws kms enable-key'],
  ['KMSInvalidStateException', 'the key is in a state that does not allow it, such as pending deletion'],
  ['InvalidKeyUsageException', `the key has the wrong spec or usage: it must be ${REQUIRED_KEY}`],
  ['UnsupportedOperationException', `the key is not an asymmetric key: it must be ${REQUIRED_KEY}`],
  ['ValidationException', 'the request is not valid'],
]);

/**
 * Translates an error of the AWS SDK into one of this library. It goes by `name`, as the SDK has no classes for most errors.
 * The `cause` has the message of AWS for GetPublicKey only: for other operations, that message may quote the request.
 */
export function translateKmsError(error: unknown, operation: string, keyId: string): KmsJwtError {
  const { name, message, status, code } = describe(error);
  const call = `${operation} with ${keyId}`;
  // A GetPublicKey request contains only the name of the key.
  const causeMessage = operation === 'GetPublicKey' ? message : 'Omitted, as it may quote the request';
  const cause = { cause: redactedCause(error, causeMessage) };

  if (THROTTLING.has(name) || status === 429) {
    const advice = 'all keys of the account and Region share the quota of cryptographic operations';
    return new KmsUnavailableError('throttled', `KMS throttled ${call} (${name}): ${advice}`, cause);
  }
  if (name === 'AccessDeniedException' || name === 'AccessDenied') {
    const advice = `allow kms:${operation} on the key in this role's policy and in the key policy`;
    return new KmsAccessDeniedError(`AWS denied ${call} (${name}): ${advice}`, cause);
  }
  if (CREDENTIALS.has(name)) {
    const advice = 'check the credentials of this process, their expiry and the system clock';
    return new KmsAccessDeniedError(`AWS has no valid credentials for ${call} (${name}): ${advice}`, cause);
  }
  const keyProblem = KEY_PROBLEMS.get(name);
  if (keyProblem) return new KmsKeyError(`KMS refused ${call} (${name}): ${keyProblem}`, cause);
  if (message.startsWith('Region is missing')) {
    return new KmsJwtOptionsError(
      'client.region',
      'is missing: set it, or the environment variable AWS_REGION',
      cause,
    );
  }
  if (code !== undefined || name === 'TimeoutError') {
    const kind = code ?? name;
    return new KmsUnavailableError(
      'network',
      `KMS could not be reached for ${call} (${kind}): ${CHECK_NETWORK}`,
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

const CHECK_NETWORK = 'check the network, the VPC endpoint and its policy';

/** @param timeout in milliseconds */
export function timeoutError(operation: string, keyId: string, timeout: number): KmsUnavailableError {
  const call = `${operation} with ${keyId}`;
  const message = `KMS did not answer ${call} within ${timeout} ms: ${CHECK_NETWORK}`;
  return new KmsUnavailableError('timeout', message);
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
