import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import type { FactoryProvider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Subject } from 'rxjs';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { JWKS_ROUTES, type JwksRouteOptions, JwksRoutes } from '../jwks/jwks.routes.js';
import { keysIn } from '../jwt/jwk.js';
import { JwksKeySource } from '../keys/jwks-key-source.js';
import { KeyRing, type KeySource } from '../keys/key-ring.js';
import { KmsKeySource } from '../keys/kms-key-source.js';
import type { CircuitEvent } from '../kms/circuit.js';
import { regionOf } from '../kms/key-arn.js';
import type { KmsGateway } from '../kms/kms-gateway.js';
import { describeEvent, type KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { KmsJwtModuleOptions, KmsJwtSettings } from '../options/kms-jwt.options.js';
import { readModuleOptions } from '../options/read-options.js';
import { KmsJwtService } from '../service/kms-jwt.service.js';
import { getKmsJwtToken } from '../service/inject-kms-jwt.js';
import { type Log, logOf } from '../events/log.js';
import { TokenSigner } from '../service/token-signer.js';
import { TokenVerifier } from '../service/token-verifier.js';

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
  const events = new Subject<KmsJwtEvent>();
  const log = logOf(name);
  events.subscribe((event) => write(event, log));
  const tell = (event: KmsJwtEvent) => events.next(event);

  const gateway =
    settings.keyId === undefined ? undefined : await openGateway(settings.keyId, settings, tell);
  const ring = new KeyRing(sourceOf(settings, gateway), { ...settings, instance: name }, tell);
  // Tokens of before a restart, and of other instances, live as long.
  if (settings.sign.expiresIn !== undefined) ring.noteLifetime(settings.sign.expiresIn);
  const signer = new TokenSigner(ring, gateway ?? NO_GATEWAY, settings, tell);
  const verifier = new TokenVerifier(ring, settings);
  return new KmsJwtService(settings, ring, signer, verifier, gateway, events);
}

function write(event: KmsJwtEvent, log: Log): void {
  if ('error' in event) log.error(describeEvent(event));
  else log.info(describeEvent(event));
}

type Gateway = Pick<KmsGateway, 'getPublicKey' | 'sign' | 'circuit' | 'close'>;

/** Of an instance that only verifies: its ring has no key that signs, so that nothing comes here. */
const NO_GATEWAY: Pick<Gateway, 'sign'> = {
  sign: () => Promise.reject(new KmsJwtOptionsError('keyId', 'is missing: this instance can only verify')),
};

function sourceOf(settings: KmsJwtSettings, gateway: Gateway | undefined): KeySource {
  const { keyId, jwksUri, jwks, timeout, refreshInterval } = settings;
  if (keyId !== undefined && gateway) return new KmsKeySource(gateway, { ...settings, keyId });
  if (jwksUri !== undefined) return new JwksKeySource(jwksUri, timeout, refreshInterval);
  return { load: async () => ({ others: keysIn(jwks) }) };
}

// Loaded here and not at the top, so that the AWS SDK is no condition of importing the package.
async function openGateway(
  keyId: string,
  settings: KmsJwtSettings,
  tell: (event: KmsJwtEvent) => void,
): Promise<Gateway> {
  const { client, regions, timeout, maxConcurrency } = settings;
  const [{ KMSClient: Client }, { KmsGateway: Single }, { RegionalGateway }] = await loadSdk();
  const sockets = { maxSockets: maxConcurrency };
  const requestHandler = { httpAgent: sockets, httpsAgent: sockets };
  const make = (
    given: KmsJwtSettings['client'],
    region: { region?: string },
    tellOfIt: (event: CircuitEvent) => void = tell,
  ) => {
    if (typeof given === 'function') return new Single(given(region.region ?? ''), false, settings, tellOfIt);
    if (isClient(given)) return new Single(given, false, settings, tellOfIt);
    return new Single(new Client({ requestHandler, ...given, ...region }), true, settings, tellOfIt);
  };
  if (regions.length === 0) {
    const isRegionGiven = typeof client === 'object' && 'region' in client && client.region !== undefined;
    const region = isRegionGiven ? undefined : regionOf(keyId);
    return make(client, region === undefined ? {} : { region });
  }
  const inRegion = (region: string) =>
    make(client, { region }, (event: CircuitEvent) => tell({ ...event, region }));
  return new RegionalGateway(new Map(regions.map((region) => [region, inRegion(region)])), timeout);
}

async function loadSdk() {
  try {
    return await Promise.all([
      import('@aws-sdk/client-kms'),
      import('../kms/kms-gateway.js'),
      import('../kms/multi-region-gateway.js'),
    ]);
  } catch (cause) {
    throw new KmsJwtOptionsError('keyId', 'needs the package @aws-sdk/client-kms: npm install it', { cause });
  }
}

function isClient(client: KMSClient | KMSClientConfig): client is KMSClient {
  return 'send' in client && typeof client.send === 'function';
}
