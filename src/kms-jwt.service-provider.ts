import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import { type FactoryProvider, Logger } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { KmsJwtOptionsError } from './errors.js';
import { JWKS_ROUTES, type JwksRouteOptions, JwksRoutes } from './jwks/jwks.routes.js';
import { describeEvent, type KmsJwtEvent } from './keys/events.js';
import { keysIn, JwksKeySource } from './keys/jwks-key-source.js';
import { KeyRing, type KeySource } from './keys/key-ring.js';
import { KmsKeySource } from './keys/kms-key-source.js';
import type { KmsGateway } from './kms/kms-gateway.js';
import type { KmsJwtModuleOptions, KmsJwtSettings } from './kms-jwt.options.js';
import { readModuleOptions } from './read-options.js';
import { KmsJwtService } from './kms-jwt.service.js';
import { getKmsJwtToken } from './kms-jwt.tokens.js';
import { TokenSigner } from './token-signer.js';
import { TokenVerifier } from './token-verifier.js';

/** One instance of the library, put together: every object and what it is given. */
export function serviceProvider(name: string, optionsToken: string | symbol): FactoryProvider<KmsJwtService> {
  return {
    provide: getKmsJwtToken(name),
    inject: [optionsToken],
    useFactory: (options: KmsJwtModuleOptions) => createService(name, options),
  };
}

/** The routes of one instance's key set. */
export function jwksRoutesProvider(name: string, options: JwksRouteOptions): FactoryProvider<JwksRoutes> {
  return {
    provide: JWKS_ROUTES,
    inject: [getKmsJwtToken(name), HttpAdapterHost],
    useFactory: (jwt: KmsJwtService, adapterHost: HttpAdapterHost) =>
      new JwksRoutes(options, jwt, adapterHost),
  };
}

async function createService(name: string, options: KmsJwtModuleOptions): Promise<KmsJwtService> {
  const settings = readModuleOptions(options);
  const gateway = settings.keyId === undefined ? undefined : await openGateway(settings.keyId, settings);
  const ring = new KeyRing(sourceOf(settings, gateway), { ...settings, instance: name });
  ring.events.subscribe(log);
  // Tokens of before a restart, and of other instances, live as long.
  if (settings.sign.expiresIn !== undefined) ring.noteLifetime(settings.sign.expiresIn);
  const signer = new TokenSigner(ring, gateway ?? NO_GATEWAY, settings);
  const verifier = new TokenVerifier(ring, settings);
  return new KmsJwtService(settings, ring, signer, verifier, gateway ?? NO_GATEWAY);
}

const logger = new Logger('KmsJwt');

function log(event: KmsJwtEvent): void {
  if ('error' in event) logger.error(describeEvent(event));
  else logger.log(describeEvent(event));
}

type Gateway = Pick<KmsGateway, 'getPublicKey' | 'sign' | 'close'>;

/** Of an instance that only verifies: its ring has no key that signs, so that nothing comes here. */
const NO_GATEWAY: Pick<Gateway, 'sign' | 'close'> = {
  sign: () => Promise.reject(new KmsJwtOptionsError('keyId', 'is missing: this instance can only verify')),
  close: () => {},
};

function sourceOf(settings: KmsJwtSettings, gateway: Gateway | undefined): KeySource {
  const { keyId, jwksUri, jwks, timeout, refreshInterval } = settings;
  if (keyId !== undefined && gateway) return new KmsKeySource(gateway, { ...settings, keyId });
  if (jwksUri !== undefined) return new JwksKeySource(jwksUri, timeout, refreshInterval);
  return { load: async () => ({ others: keysIn(jwks) }) };
}

// Loaded here and not at the top, so that the AWS SDK is no condition of importing the package.
async function openGateway(keyId: string, { client, regions, timeout }: KmsJwtSettings): Promise<Gateway> {
  const [{ KMSClient: Client }, { KmsGateway: Single }, { RegionalGateway }] = await loadSdk();
  const make = (given: KmsJwtSettings['client'], region: { region?: string }, deadline: number) => {
    if (typeof given === 'function') return new Single(given(region.region ?? ''), false, deadline);
    if (isClient(given)) return new Single(given, false, deadline);
    return new Single(new Client({ ...given, ...region }), true, deadline);
  };
  if (regions.length === 0) {
    const isRegionGiven = typeof client === 'object' && 'region' in client && client.region !== undefined;
    return make(client, isRegionGiven ? {} : regionOf(keyId), timeout);
  }
  return new RegionalGateway(
    new Map(regions.map((region) => [region, make(client, { region }, timeout)])),
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
    return await Promise.all([
      import('@aws-sdk/client-kms'),
      import('./kms/kms-gateway.js'),
      import('./kms/regional-gateway.js'),
    ]);
  } catch (cause) {
    throw new KmsJwtOptionsError('keyId', 'needs the package @aws-sdk/client-kms: npm install it', { cause });
  }
}

function isClient(client: KMSClient | KMSClientConfig): client is KMSClient {
  return 'send' in client && typeof client.send === 'function';
}
