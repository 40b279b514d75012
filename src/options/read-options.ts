import { KmsJwtOptionsError } from '../errors/errors.js';
import type { JwtHeader } from '../jwt/compact.js';
import { isAlias } from '../kms/key-arn.js';
import { checkPublicKeys, toAlgorithms } from './algorithm-options.js';
import { toIssuers } from './read-issuers.js';
import { toVerifySettings } from './read-verify-options.js';
import { readOptions, refuseHidden } from './checked-options.js';
import {
  DEFAULT_CACHE,
  DEFAULT_GUARD,
  DEFAULT_KID,
  DEFAULT_LIMITS,
  DEFAULT_MESSAGE_TYPE,
  DEFAULT_ROTATION,
  defaultActivationDelay,
} from './defaults.js';
import type {
  DecodeOptions,
  GuardOptions,
  KmsJwtModuleOptions,
  SignOptions,
  VerifyOptions,
} from './kms-jwt.options.js';
import type { KmsJwtModuleExtras } from './module-extras.js';
import {
  CACHE_RULES,
  CHECKS,
  EXTRA_RULES,
  flag,
  GUARD_RULES,
  isFunction,
  isObject,
  LIMIT_RULES,
  MODULE_RULES,
  MODULE_SIGN_RULES,
  MODULE_VERIFY_RULES,
  ROTATION_RULES,
  SIGN_RULES,
  toSeconds,
  VERIFY_RULES,
} from './option-rules.js';
import type { RotationOptions } from './rotation.options.js';
import type {
  GuardSettings,
  KmsJwtSettings,
  RotationSettings,
  SignSettings,
  VerifySettings,
} from './settings.js';

/**
 * Reads and checks the module's options, once, at start.
 *
 * @throws KmsJwtOptionsError for the first option that is missing, unknown, in the wrong place or of the wrong type
 */
export function readModuleOptions(options: KmsJwtModuleOptions): KmsJwtSettings {
  refuseMisplaced(options);
  const given = readOptions('', options, MODULE_RULES, isCheck, Object.keys(EXTRA_RULES));
  const rotation = readOptions('rotation.', given.rotation ?? {}, ROTATION_RULES, isCheck);
  const limits = readOptions('limits.', given.limits ?? {}, LIMIT_RULES, isCheck);
  const guard = readOptions('guard.', given.guard ?? {}, GUARD_RULES, isCheck);
  checkKeys({ ...given, rotation, limits });
  const algorithms = toAlgorithms(given.algorithm);
  checkPublicKeys(given.jwks, rotation.verificationKeys ?? [], algorithms);
  const signOptions = readOptions('signOptions.', given.signOptions ?? {}, MODULE_SIGN_RULES, always);
  const verifyOptions = readOptions('verifyOptions.', given.verifyOptions ?? {}, MODULE_VERIFY_RULES, always);

  const verify = toVerifySettings(verifyOptions);
  const { issuer, audience } = signOptions;
  const expectedOfOwnTokens = toVerifySettings({ ...(issuer && { issuer }), ...(audience && { audience }) });
  return {
    keyId: given.keyId,
    jwksUri: given.jwksUri,
    jwks: given.jwks,
    algorithms,
    issuers: toIssuers(given.issuers, { ...expectedOfOwnTokens, ...verify }),
    kid: given.kid ?? DEFAULT_KID,
    client: given.client ?? {},
    regions: [...(given.regions ?? [])],
    messageType: given.messageType ?? DEFAULT_MESSAGE_TYPE,
    requestAlias: given.requestAlias ?? false,
    lazy: given.lazy ?? false,
    isRevoked: given.isRevoked,
    cache: toCacheSettings(given.cache),
    sign: toSignSettings(signOptions),
    verify: {
      ...expectedOfOwnTokens,
      ...verify,
      ...(given.verification && { verification: given.verification }),
    },
    rotation: toRotationSettings(rotation, given.requestAlias ?? false),
    limits: { ...DEFAULT_LIMITS, ...limits },
    guard: toGuardSettings(guard),
  };
}

const isCheck = (option: string) => CHECKS.has(option);
const always = () => true;

/** The path of each grouped option, by the name that it might be given at the top level. */
const MOVED: ReadonlyMap<string, string> = new Map([
  ...Object.keys(ROTATION_RULES).map((name) => [name, `rotation.${name}`] as const),
  ...Object.keys(LIMIT_RULES).map((name) => [name, `limits.${name}`] as const),
  ...Object.keys(GUARD_RULES).map((name) => [name, `guard.${name}`] as const),
  ['ringStore', 'rotation.store'],
]);

function refuseMisplaced(given: KmsJwtModuleOptions): void {
  for (const [option, value] of Object.entries(given ?? {})) {
    if (value === undefined) continue;
    const place = MOVED.get(option);
    if (place !== undefined) throw new KmsJwtOptionsError(option, `must be in its group: set ${place}`);
    if (Object.hasOwn(EXTRA_RULES, option)) {
      throw new KmsJwtOptionsError(option, 'must be beside useFactory in forRootAsync, not in its result');
    }
  }
  const { verifyOptions } = given ?? {};
  if (isObject(verifyOptions) && 'verification' in verifyOptions) {
    throw new KmsJwtOptionsError('verifyOptions.verification', 'must be beside verifyOptions, not in it');
  }
}

/** Checks that the keys have exactly one source, and that each option that is set has an effect with it. */
function checkKeys(given: KmsJwtModuleOptions): void {
  const { keyId, jwksUri, jwks } = given;
  const sources = Object.entries({ keyId, jwksUri, jwks }).filter(([, source]) => source !== undefined);
  const [first, second] = sources.map(([option]) => option);
  if (first === undefined && !given.issuers) {
    throw new KmsJwtOptionsError(
      'keyId',
      `is missing: it ${MODULE_RULES.keyId[1]}. A service that only verifies has jwksUri, jwks or issuers instead`,
    );
  }
  if (first !== undefined && second !== undefined) {
    throw new KmsJwtOptionsError(first, `cannot be combined with ${second}: set one of the two`);
  }
  const needsKey = optionsThatSign(given).find(([, value]) => value !== undefined)?.[0];
  if (keyId === undefined && needsKey !== undefined)
    throw new KmsJwtOptionsError(needsKey, 'needs a keyId: without one, a service only verifies');
  if (given.verification === 'kms') checkKmsVerification(given);
  if (jwksUri === undefined && !given.issuers && given.rotation?.maxStale !== undefined) {
    throw new KmsJwtOptionsError(
      'rotation.maxStale',
      'needs jwksUri or issuers: keys in KMS have no such limit',
    );
  }
  if (keyId !== undefined && given.requestAlias && !isAlias(keyId)) {
    throw new KmsJwtOptionsError('requestAlias', 'needs a keyId that is an alias');
  }
  const isShared = typeof given.client === 'object' && 'send' in given.client;
  if (given.regions && isShared) {
    throw new KmsJwtOptionsError('client', 'must be a configuration or a function if regions is set');
  }
  if (!given.regions && isFunction(given.client)) {
    throw new KmsJwtOptionsError('client', 'can be a function only if regions is set');
  }
}

/** KMS verifies only with its own keys: with any other key, each token would be refused. */
function checkKmsVerification({ keyId, rotation, issuers }: KmsJwtModuleOptions): void {
  if (issuers) {
    throw new KmsJwtOptionsError(
      'verification',
      "cannot be 'kms' if issuers is set, as their keys are not in KMS: leave it out, and set it by @VerifyWith() on the routes that need it",
    );
  }
  if (keyId === undefined) {
    throw new KmsJwtOptionsError(
      'verification',
      "is 'kms', which needs a keyId: the keys of jwksUri and jwks are not in KMS. Leave it out to verify locally",
    );
  }
  if (rotation?.verificationKeys?.some((key) => typeof key !== 'string')) {
    throw new KmsJwtOptionsError(
      'rotation.verificationKeys',
      "contains a JWK, and with verification: 'kms' every key must be in KMS: name a key in KMS instead, or leave verification out and set it by @VerifyWith() on the routes that need it",
    );
  }
}

function optionsThatSign(given: KmsJwtModuleOptions): [path: string, value: unknown][] {
  const {
    refreshInterval: _,
    distrustedKeys: _distrusted,
    maxStale: _maxStale,
    ...rotation
  } = given.rotation ?? {};
  return [
    ['regions', given.regions],
    ['client', given.client],
    ['signOptions', given.signOptions],
    ['kid', given.kid],
    ['messageType', given.messageType],
    ['requestAlias', given.requestAlias],
    ['limits.maxConcurrency', given.limits?.maxConcurrency],
    ['limits.maxQueue', given.limits?.maxQueue],
    ...Object.entries(rotation).map(([name, value]): [string, unknown] => [`rotation.${name}`, value]),
  ];
}

/**
 * Checks the options that Nest needs before the factory has returned.
 *
 * @throws KmsJwtOptionsError for the first that is of the wrong type
 */
export function checkModuleExtras(given: KmsJwtModuleExtras): void {
  if (!isObject(given)) throw new KmsJwtOptionsError('options', 'must be an object');
  // Nest then copies the options, and the copy has no inherited ones.
  refuseHidden('', given, { ...MODULE_RULES, ...EXTRA_RULES });
  for (const [name, [accepts, expected]] of Object.entries(EXTRA_RULES)) {
    const value = given[name as keyof KmsJwtModuleExtras];
    if (value !== undefined && !accepts(value)) throw new KmsJwtOptionsError(name, expected);
  }
  if (given.discovery && given.jwksPath === undefined)
    throw new KmsJwtOptionsError('discovery', 'needs jwksPath: the documents contain its URL');
}

/** @throws KmsJwtOptionsError for the first option that is unknown or of the wrong type */
export function readSignOptions(given: SignOptions, defaults: SignSettings): SignSettings {
  const options = readOptions('', given, SIGN_RULES, (option) => option !== 'signal');
  const asked = toSignSettings(options);
  return { ...defaults, ...asked, asked };
}

/** @throws KmsJwtOptionsError for the first option that is unknown or of the wrong type */
export function readDecodeOptions(given: DecodeOptions): DecodeOptions {
  return readOptions('', given, { complete: flag }, () => false);
}

/** @throws KmsJwtOptionsError for the first option that is unknown or of the wrong type */
export function readVerifyOptions(given: VerifyOptions, defaults: VerifySettings): VerifySettings {
  return { ...defaults, ...toVerifySettings(readOptions('', given, VERIFY_RULES, always)) };
}

function toRotationSettings(given: RotationOptions, requestAlias: boolean): RotationSettings {
  const { verificationKeys, distrustedKeys, ...rotation } = { ...DEFAULT_ROTATION, ...given };
  const { refreshInterval, activationDelay, retireAfter, maxStale, store } = rotation;
  const interval = toSeconds(refreshInterval);
  return {
    refreshInterval: interval,
    // If the alias is sent to KMS, the new key signs at once.
    activationDelay: requestAlias ? 0 : toSeconds(activationDelay ?? defaultActivationDelay(interval)),
    retireAfter: retireAfter === undefined ? undefined : toSeconds(retireAfter),
    verificationKeys: [...verificationKeys],
    distrustedKeys: [...distrustedKeys],
    maxStale: toSeconds(maxStale),
    store,
  };
}

function toCacheSettings(given: KmsJwtModuleOptions['cache']): KmsJwtSettings['cache'] {
  if (given === false) return false;
  return { ...DEFAULT_CACHE, ...readOptions('cache.', given ?? {}, CACHE_RULES, isCheck) };
}

function toGuardSettings(guard: GuardOptions): GuardSettings {
  const { tokenFrom, recheckInterval, allowedOrigins, ...given } = guard;
  return {
    ...DEFAULT_GUARD,
    ...given,
    tokenFrom: tokenFrom && [tokenFrom].flat(),
    recheckInterval: recheckInterval === undefined ? undefined : toSeconds(recheckInterval),
    allowedOrigins: allowedOrigins && [...allowedOrigins],
  };
}

// Lists, objects and expressions are copied: what was checked must not change afterwards.
function toSignSettings({ expiresIn, notBefore, audience, header, ...rest }: SignOptions): SignSettings {
  return {
    ...rest,
    ...(audience !== undefined && { audience: typeof audience === 'string' ? audience : [...audience] }),
    // Not structuredClone: it refuses a Proxy, and state management libraries wrap objects in one.
    ...(header !== undefined && { header: JSON.parse(JSON.stringify(header)) as JwtHeader }),
    ...(expiresIn !== undefined && { expiresIn: toSeconds(expiresIn) }),
    ...(notBefore !== undefined && { notBefore: toSeconds(notBefore) }),
  };
}
