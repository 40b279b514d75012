import type { FactoryProvider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { Subject } from 'rxjs';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { JWKS_ROUTES, type JwksRouteOptions, JwksRoutes } from '../jwks/jwks.routes.js';
import { keysIn } from '../jwt/jwk.js';
import { JwksKeySource } from '../keys/jwks-key-source.js';
import { KeyRing, type KeySource } from '../keys/key-ring.js';
import { KmsKeySource } from '../keys/kms-key-source.js';
import { RingPersistence } from '../keys/ring-persistence.js';
import { TrustedKeys } from '../keys/trusted-keys.js';
import type { KmsGateway } from '../kms/kms-gateway.js';
import { loadError } from '../kms/load-error.js';
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
      new JwksRoutes(options, jwt, adapterHost, logOf(name)),
  };
}

async function createService(name: string, options: KmsJwtModuleOptions): Promise<KmsJwtService> {
  const settings = readModuleOptions(options);
  const events = new Subject<KmsJwtEvent>();
  const log = logOf(name);
  events.subscribe((event) => write(event, log));
  const emit = (event: KmsJwtEvent) => events.next(event);

  const gateway =
    settings.keyId === undefined ? undefined : await openGateway(settings.keyId, settings, emit);
  const persistence = new RingPersistence(settings.ringStore, name, settings.timeout, (error) =>
    emit({ type: 'store_failed', error }),
  );
  const keys = new TrustedKeys(persistence, settings, emit);
  const ring = new KeyRing(sourceOf(settings, gateway), keys, emit);
  // Tokens from before a restart, and those of other instances, live as long.
  if (settings.sign.expiresIn !== undefined) ring.recordLifetime(settings.sign.expiresIn);
  const signer = new TokenSigner(ring, gateway ?? NO_GATEWAY, settings, emit);
  const verifier = new TokenVerifier(ring, settings);
  return new KmsJwtService(settings, ring, signer, verifier, gateway, events);
}

function write(event: KmsJwtEvent, log: Log): void {
  if ('error' in event) log.error(describeEvent(event));
  else log.info(describeEvent(event));
}

/** Of an instance that only verifies: its ring has no key that signs, so that nothing comes here. */
const NO_GATEWAY: Pick<KmsGateway, 'sign'> = {
  sign: () => Promise.reject(new KmsJwtOptionsError('keyId', 'is missing: this instance can only verify')),
};

function sourceOf(settings: KmsJwtSettings, gateway: KmsGateway | undefined): KeySource {
  const { keyId, jwksUri, jwks, timeout, refreshInterval } = settings;
  if (keyId !== undefined && gateway) return new KmsKeySource(gateway, { ...settings, keyId });
  if (jwksUri !== undefined) return new JwksKeySource(jwksUri, timeout, refreshInterval);
  return { load: async () => ({ others: keysIn(jwks) }) };
}

/** Loads kms/ dynamically, so that this package can be imported without the AWS SDK. */
async function openGateway(
  keyId: string,
  settings: KmsJwtSettings,
  emit: (event: KmsJwtEvent) => void,
): Promise<KmsGateway> {
  const kms = await import('../kms/open-gateway.js').catch((error: unknown) => {
    throw loadError(error);
  });
  return kms.openGateway({ ...settings, keyId, limits: settings }, emit);
}
