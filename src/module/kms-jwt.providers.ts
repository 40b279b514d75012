import type { FactoryProvider, Provider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { isRealService } from '../auth/check-service.js';
import { refuseUncalled } from '../auth/token-extractors.js';
import { JwksUnavailableError } from '../errors/errors.js';
import { withoutStack } from '../errors/without-stack.js';
import { JWKS_ROUTES, type JwksRouteOptions, JwksRoutes } from '../jwks/jwks.routes.js';
import { keysIn } from '../jwt/jwk.js';
import { loadMlDsa } from '../jwt/ml-dsa.js';
import { AliasSigner } from '../keys/alias-signer.js';
import { type Clock, CLOCK, SYSTEM_CLOCK } from '../keys/clock.js';
import { JwksKeySource } from '../keys/jwks-key-source.js';
import { KeyRing, type KeySource } from '../keys/key-ring.js';
import { KmsKeySource } from '../keys/kms-key-source.js';
import { RingPersistence } from '../keys/ring-persistence.js';
import { TrustedKeys } from '../keys/trusted-keys.js';
import type { KmsGateway } from '../kms/kms-gateway.js';
import { loadError } from '../kms/sdk-load-error.js';
import { EventStream } from '../events/event-stream.js';
import { describeEvent, type KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { KmsJwtModuleOptions } from '../options/kms-jwt.options.js';
import type { KmsJwtSettings } from '../options/settings.js';
import { readModuleOptions } from '../options/read-options.js';
import { KmsJwtService } from '../service/kms-jwt.service.js';
import { KmsVerifier } from '../service/kms-verifier.js';
import { getKmsJwtOptionsToken, getKmsJwtServiceToken } from '../service/inject-kms-jwt.js';
import { Log } from '../events/log.js';
import { TokenSigner } from '../service/token-signer.js';
import { IssuerVerifier } from '../service/issuer-verifier.js';
import { TokenVerifier } from '../service/token-verifier.js';
import { openSources } from './issuer-sources.js';

const FIRST_FETCH = 'KMS_JWT_FIRST_FETCH';

/**
 * The providers of one registration: its clock, its service and the first fetch of its keys. If the factory of a provider throws, Nest
 * logs the error and ends the start; the error of a lifecycle hook is left to the app.
 */
export function serviceProviders(name: string): Provider[] {
  return [
    { provide: CLOCK, useValue: SYSTEM_CLOCK },
    {
      provide: getKmsJwtServiceToken(name),
      inject: [getKmsJwtOptionsToken(name), CLOCK],
      useFactory: (options: KmsJwtModuleOptions, clock: Clock) =>
        failWithoutStack(() => createService(name, options, clock)),
    },
    {
      provide: FIRST_FETCH,
      inject: [getKmsJwtServiceToken(name)],
      // A test may have replaced the service.
      useFactory: (jwt: KmsJwtService) =>
        isRealService(jwt) ? failWithoutStack(() => loadFirstKeys(jwt)) : undefined,
    },
  ];
}

async function loadFirstKeys(jwt: KmsJwtService): Promise<void> {
  try {
    await jwt.loadKeys();
  } catch (error) {
    if (!(error instanceof JwksUnavailableError)) throw error;
    const remedy =
      'To start while it is down, set lazy: true, or list the issuer in issuers, with a snapshot';
    throw new JwksUnavailableError(`${error.message}. ${remedy}`, { cause: error.cause });
  }
}

async function failWithoutStack<T>(start: () => Promise<T>): Promise<T> {
  try {
    return await start();
  } catch (error) {
    throw withoutStack(error);
  }
}

/** The provider of the routes of one registration's key set. */
export function jwksRoutesProvider(name: string, options: JwksRouteOptions): FactoryProvider<JwksRoutes> {
  return {
    provide: JWKS_ROUTES,
    inject: [getKmsJwtServiceToken(name), HttpAdapterHost],
    useFactory: (jwt: KmsJwtService, adapterHost: HttpAdapterHost) =>
      failWithoutStack(async () => new JwksRoutes(options, jwt, adapterHost, jwt.log)),
  };
}

/** Assembles one registration of the library: each object and its dependencies. */
async function createService(
  name: string,
  options: KmsJwtModuleOptions,
  clock: Clock,
): Promise<KmsJwtService> {
  const settings = readModuleOptions(options);
  refuseUncalled(settings.guard.tokenFrom);
  if (settings.algorithms.some(({ messageType }) => messageType === 'EXTERNAL_MU')) await loadMlDsa();
  const events = new EventStream();
  const log = new Log(name);
  warnIfUnscoped(settings, log);
  events.observable.subscribe((event) => write(event, log));
  const { emit } = events;

  const gateway =
    settings.keyId === undefined ? undefined : await openGateway(settings.keyId, settings, emit);
  const { rotation, limits } = settings;
  const binding = { instance: name, source: settings.keyId ?? settings.jwksUri ?? '' };
  const persistence = new RingPersistence(rotation.store, binding, limits.timeout, emit);
  const { clockTolerance } = settings.verify;
  const trust = {
    ...rotation,
    algorithms: settings.algorithms,
    expiresIn: settings.sign.expiresIn,
    clockTolerance,
  };
  const keys = new TrustedKeys(persistence, trust, emit, clock);
  const ring = new KeyRing(sourceOf(settings, gateway, clock), keys, emit, clock);
  const signer = gateway && newSigner(settings, ring, keys, gateway, emit);
  const kmsVerifier = new KmsVerifier(gateway, settings);
  const verifier = new TokenVerifier(ring, { ...settings, ...limits }, kmsVerifier);
  const sources = await openSources({ settings, kmsVerifier, emit, log, clock }, { ring, verifier });
  const verifierOfAll = sources ? new IssuerVerifier(sources, limits) : verifier;
  return new KmsJwtService(settings, ring, signer, verifierOfAll, sources, gateway, events, log, clock);
}

function newSigner(
  settings: KmsJwtSettings,
  ring: KeyRing,
  keys: TrustedKeys,
  gateway: KmsGateway,
  emit: (event: KmsJwtEvent) => void,
): TokenSigner {
  const { keyId = '', requestAlias, messageType, limits } = settings;
  const aliasSigner = new AliasSigner(ring, keys, { keyId, requestAlias }, emit);
  return new TokenSigner(ring, aliasSigner, gateway, { ...limits, messageType }, emit);
}

function warnIfUnscoped({ keyId, jwksUri, jwks, verify }: KmsJwtSettings, log: Log): void {
  const hasKeys = (keyId ?? jwksUri ?? jwks) !== undefined;
  if (verify.issuer || verify.audience || !hasKeys) return;
  const options = keyId === undefined ? 'verifyOptions' : 'signOptions';
  log.warn(
    `Neither issuer nor audience is configured: verify accepts tokens that the same keys signed for another service (RFC 8725, sections 3.8 and 3.9). Set ${options}.issuer and ${options}.audience`,
  );
}

function write(event: KmsJwtEvent, log: Log): void {
  if ('error' in event) log.error(describeEvent(event));
  else if (event.type === 'store_unsafe' || event.type === 'clock_stepped') log.warn(describeEvent(event));
  else log.info(describeEvent(event));
}

function sourceOf(settings: KmsJwtSettings, gateway: KmsGateway | undefined, clock: Clock): KeySource {
  const { keyId, algorithms, kid, jwksUri, jwks, rotation, limits } = settings;
  if (keyId !== undefined && gateway)
    return new KmsKeySource(gateway, { ...rotation, keyId, kid, algorithms });
  if (jwksUri !== undefined)
    return new JwksKeySource(jwksUri, { ...rotation, algorithms, timeout: limits.timeout }, clock);
  // Without keys of its own, the service accepts only tokens of other issuers.
  return { load: async () => ({ others: keysIn(jwks, algorithms) }) };
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
  return kms.openGateway({ ...settings, keyId }, emit);
}
