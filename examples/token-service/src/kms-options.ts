import { Logger } from '@nestjs/common';
import type { KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';

const EMULATOR_REGION = 'us-east-1';

type KmsOptions = Pick<KmsJwtModuleOptions, 'keyId' | 'client' | 'messageType'>;

/**
 * Where the key is: in AWS with `KMS_KEY_ID`, in an emulator with `AWS_ENDPOINT_URL_KMS` too, otherwise in this process, but
 * only if `NODE_ENV` is `development`: anywhere else a missing variable must not end in tokens of a key that nobody guards.
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
  if (endpoint) throw new Error('KMS_KEY_ID is missing: say which key behind AWS_ENDPOINT_URL_KMS signs');
  if (env['NODE_ENV'] !== 'development') {
    throw new Error(
      'KMS_KEY_ID is missing: set it to the key that signs. Only with NODE_ENV=development does LocalKms sign instead, a KMS inside this process that is not for production',
    );
  }

  new Logger('KMS').warn(
    'KMS_KEY_ID is not set: signing with LocalKms, a KMS inside this process. For development only: the key, and with it every token, is gone when the process ends.',
  );
  const localKms = new LocalKms({ keys: [{ alias: 'token-service' }] });
  return { keyId: 'alias/token-service', client: localKms.client() };
}
