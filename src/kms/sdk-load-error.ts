import { KmsJwtOptionsError } from '../errors/errors.js';
import { nameOf, redactedCause } from '../errors/redacted-cause.js';

/** In the messages of Node (`import` and `require`) and of Yarn's Plug'n'Play. */
const SDK_IS_MISSING = /(?:Cannot find (?:package|module) '|tried to access )@aws-sdk\/client-kms(?=['\s])/;

/**
 * Translates a failure to load `open-gateway.ts`: the AWS SDK is not installed, or something else is wrong with the
 * installation, such as a missing dependency of the SDK.
 */
export function loadError(error: unknown): KmsJwtOptionsError {
  const message = error instanceof Error ? error.message : String(error);
  const cause = { cause: redactedCause(error, message) };
  if (isNotFound(error) && SDK_IS_MISSING.test(message)) {
    return new KmsJwtOptionsError(
      'keyId',
      'needs the package @aws-sdk/client-kms: npm install @aws-sdk/client-kms',
      cause,
    );
  }
  const kind = error instanceof Error ? nameOf(error) : typeof error;
  const [firstLine = ''] = message.split('\n');
  return new KmsJwtOptionsError(
    'keyId',
    `cannot be used: the AWS SDK or the KMS gateway failed to load (${kind}: ${firstLine})`,
    cause,
  );
}

function isNotFound(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND';
}
