import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import type { FactoryProvider } from '@nestjs/common';
import { KmsJwtOptionsError } from './errors.js';
import { KeyRing } from './keys/key-ring.js';
import { KmsKeySource } from './keys/kms-key-source.js';
import type { KmsGateway } from './kms/kms-gateway.js';
import { type KmsJwtModuleOptions, type KmsJwtSettings, readModuleOptions } from './kms-jwt.options.js';
import { KmsJwtService } from './kms-jwt.service.js';
import { getKmsJwtToken } from './kms-jwt.tokens.js';
import { TokenSigner } from './token-signer.js';
import { TokenVerifier } from './token-verifier.js';

/** One instance of the library, put together: every object and what it is given. */
export function serviceProvider(name: string, optionsToken: string | symbol): FactoryProvider<KmsJwtService> {
  return { provide: getKmsJwtToken(name), inject: [optionsToken], useFactory: createService };
}

async function createService(options: KmsJwtModuleOptions): Promise<KmsJwtService> {
  const settings = readModuleOptions(options);
  const gateway = await openGateway(settings);
  const ring = new KeyRing(new KmsKeySource(gateway, settings.keyId, settings.kid));
  const signer = new TokenSigner(ring, gateway, settings);
  const verifier = new TokenVerifier(ring, settings);
  return new KmsJwtService(settings, ring, signer, verifier, gateway);
}

// Loaded here and not at the top, so that the AWS SDK is no condition of importing the package.
async function openGateway({ client, keyId, timeout }: KmsJwtSettings): Promise<KmsGateway> {
  const [{ KMSClient: Client }, { KmsGateway: Gateway }] = await loadSdk();
  if (isClient(client)) return new Gateway(client, false, timeout);
  return new Gateway(
    new Client({ ...client, ...(client.region === undefined && regionOf(keyId)) }),
    true,
    timeout,
  );
}

// An ARN says where its key is: to ask another region would be in vain.
function regionOf(keyId: string): { region?: string } {
  const region = /^arn:[^:]+:kms:([^:]+):/.exec(keyId)?.[1];
  return region ? { region } : {};
}

async function loadSdk() {
  try {
    return await Promise.all([import('@aws-sdk/client-kms'), import('./kms/kms-gateway.js')]);
  } catch (cause) {
    throw new KmsJwtOptionsError('keyId', 'needs the package @aws-sdk/client-kms: npm install it', { cause });
  }
}

function isClient(client: KMSClient | KMSClientConfig): client is KMSClient {
  return 'send' in client && typeof client.send === 'function';
}
