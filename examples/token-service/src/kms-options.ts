import { Logger } from '@nestjs/common';
import type { KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';

const EMULATOR_REGION = 'us-east-1';

type KmsOptions = Pick<KmsJwtModuleOptions, 'keyId' | 'client' | 'messageType'>;

/**
 * With `KMS_KEY_ID`, the key is in AWS, or in an emulator if `AWS_ENDPOINT_URL_KMS` is set. Without it, LocalKms has the key, but
 * only if `NODE_ENV` is `development`: elsewhere, a missing variable must not lead to tokens of an unprotected key.
 * `KMS_MESSAGE_TYPE` is `DIGEST`, the default, or `RAW`, for an emulator such as moto.
 */
export function kmsOptions(env: NodeJS.ProcessEnv): KmsOptions {
  return { ...keyOptions(env), messageType: messageTypeOf(env['KMS_MESSAGE_TYPE']) };
}

function messageTypeOf(value: string | undefined): KmsOptions['messageType'] {
  if (!value) return undefined;
  if (value === 'DIGEST' || value === 'RAW') return value;
  throw new Error('KMS_MESSAGE_TYPE must be DIGEST or RAW');
}

function keyOptions(env: NodeJS.ProcessEnv): KmsOptions {
  const { KMS_KEY_ID: keyId, AWS_ENDPOINT_URL_KMS: endpoint, AWS_REGION: region } = env;
  if (keyId) return { keyId, client: endpoint ? { region: region ?? EMULATOR_REGION } : {} };
  if (endpoint)
    throw new Error('KMS_KEY_ID is missing: set it to the key in the emulator of AWS_ENDPOINT_URL_KMS');
  if (env['NODE_ENV'] !== 'development') {
    throw new Error(
      'KMS_KEY_ID is missing: set it to the key that signs. For development, set NODE_ENV=development to sign with LocalKms, a KMS in this process that is not for production',
    );
  }

  new Logger('KMS').warn(
    'KMS_KEY_ID is not set: signing with LocalKms, a KMS in this process. For development only: its tokens stop verifying when the process ends, because the key is lost.',
  );
  const localKms = new LocalKms({ keys: [{ alias: 'token-service' }] });
  return { keyId: 'alias/token-service', client: localKms.client() };
}
