import {
  KmsAccessDeniedError,
  type KmsJwtError,
  KmsJwtOptionsError,
  KmsKeyError,
  KmsSignatureError,
  KmsUnavailableError,
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

const KEY_PROBLEMS: ReadonlyMap<string, string> = new Map([
  ['NotFoundException', 'there is no such key or alias in this account and region'],
  ['InvalidArnException', 'the ARN is not valid'],
  ['DisabledException', 'the key is disabled: enable it with aws kms enable-key'],
  ['KMSInvalidStateException', 'the state of the key forbids it, as while its deletion is pending'],
  ['InvalidKeyUsageException', 'the key is not for this use: it must be ECC_NIST_P256 for SIGN_VERIFY'],
  ['UnsupportedOperationException', 'the key has no public half: it must be ECC_NIST_P256 for SIGN_VERIFY'],
  ['ValidationException', 'KMS does not accept the request'],
]);

/**
 * Says what an error of the AWS SDK means here. Told apart by `name`: the SDK has no classes for most of them. What AWS
 * itself said stays in `cause`, unless it may quote what was sent.
 */
export function translateKmsError(error: unknown, operation: string, keyId: string): KmsJwtError {
  const { name, message, status, code } = describe(error);
  const call = `${operation} with ${keyId}`;
  // GetPublicKey sends nothing but the name of the key.
  const said = operation === 'GetPublicKey' ? message : 'Left out, as it may quote what was sent';
  const cause = { cause: redactedCause(error, said) };

  if (THROTTLING.has(name) || status === 429) {
    const advice = 'the quota of cryptographic operations is shared by all keys of the account and region';
    return new KmsUnavailableError('throttled', `KMS throttled ${call} (${name}): ${advice}`, cause);
  }
  if (name === 'AccessDeniedException' || name === 'AccessDenied') {
    const advice = `allow kms:${operation} on the key in this role's policy and in the key policy`;
    return new KmsAccessDeniedError(`AWS denied ${call} (${name}): ${advice}`, cause);
  }
  if (CREDENTIALS.has(name)) {
    const advice = 'check the credentials of this process, whether they have expired, and its clock';
    return new KmsAccessDeniedError(`AWS has no valid credentials for ${call} (${name}): ${advice}`, cause);
  }
  const keyProblem = KEY_PROBLEMS.get(name);
  if (keyProblem) return new KmsKeyError(`KMS refused ${call} (${name}): ${keyProblem}`, cause);
  if (message.startsWith('Region is missing')) {
    return new KmsJwtOptionsError('client.region', 'is missing: give it, or set AWS_REGION', cause);
  }
  if (code !== undefined || name === 'TimeoutError') {
    const kind = code ?? name;
    return new KmsUnavailableError(
      'network',
      `KMS could not be reached for ${call} (${kind}): ${LOOK_AT_NETWORK}`,
      cause,
    );
  }
  const kind = status === undefined ? name : `${name}, HTTP ${status}`;
  if (operation === 'Sign' && status !== undefined && status < 300) {
    return new KmsSignatureError(`KMS answered ${call} with what is no signature (${kind})`, cause);
  }
  const advice =
    name === 'SyntaxError'
      ? 'that was no answer of KMS, but of a proxy or a load balancer before it'
      : 'it may pass; AWS Health tells whether it is known';
  return new KmsUnavailableError('failure', `KMS failed at ${call} (${kind}): ${advice}`, cause);
}

const LOOK_AT_NETWORK = 'look at the network, the VPC endpoint and its policy';

export function timedOut(operation: string, keyId: string, timeout: number): KmsUnavailableError {
  const call = `${operation} with ${keyId}`;
  const message = `KMS did not answer ${call} within ${timeout} ms: ${LOOK_AT_NETWORK}`;
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
