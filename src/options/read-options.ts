import { KmsJwtOptionsError } from '../errors/errors.js';
import type { Expected } from '../jwt/claims.js';
import { canonicalType, type JwtHeader } from '../jwt/compact.js';
import { isAlias } from '../kms/key-arn.js';
import {
  type DecodeOptions,
  JWKS_MAX_AGE,
  JWKS_STALE_WHILE_REVALIDATE,
  type KmsJwtModuleOptions,
  type KmsJwtSettings,
  REFRESH_JITTER,
  type SignOptions,
  type SignSettings,
  type VerifyOptions,
  type VerifySettings,
} from './kms-jwt.options.js';
import {
  flag,
  isFunction,
  isObject,
  isPath,
  isText,
  MODULE_RULES,
  MODULE_SIGN_RULES,
  MODULE_VERIFY_RULES,
  type Rules,
  SIGN_RULES,
  text,
  toSeconds,
  VERIFY_RULES,
} from './option-rules.js';

/**
 * Reads and checks the module's options, once, at start.
 *
 * @throws KmsJwtOptionsError that names what is missing, unknown or of the wrong type
 */
export function readModuleOptions(options: KmsJwtModuleOptions): KmsJwtSettings {
  if (!isObject(options)) throw new KmsJwtOptionsError('options', 'must be an object');
  const given = withoutUndefined(options);
  check('', given, MODULE_RULES);
  checkSource(given);
  check('signOptions.', given.signOptions ?? {}, MODULE_SIGN_RULES);
  check('verifyOptions.', given.verifyOptions ?? {}, MODULE_VERIFY_RULES);

  const sign = toSignSettings(given.signOptions ?? {});
  const refreshInterval = toSeconds(given.refreshInterval ?? 300);
  const { issuer, audience } = given.signOptions ?? {};
  const expectedOfOwnTokens = toVerifySettings({ ...(issuer && { issuer }), ...(audience && { audience }) });
  return {
    keyId: given.keyId,
    jwksUri: given.jwksUri,
    jwks: given.jwks,
    verificationKeys: [...(given.verificationKeys ?? [])],
    regions: [...(given.regions ?? [])],
    refreshInterval,
    // An alias that is sent signs with its new key at once.
    activationDelay: given.requestAlias
      ? 0
      : toSeconds(given.activationDelay ?? untilAllKnow(refreshInterval)),
    retireAfter: given.retireAfter === undefined ? undefined : toSeconds(given.retireAfter),
    ringStore: given.ringStore,
    client: given.client ?? {},
    sign,
    verify: { ...expectedOfOwnTokens, ...toVerifySettings(given.verifyOptions ?? {}) },
    kid: given.kid ?? 'key-id',
    messageType: given.messageType ?? 'DIGEST',
    timeout: given.timeout ?? 3000,
    maxConcurrency: given.maxConcurrency ?? 50,
    maxQueue: given.maxQueue ?? 1000,
    maxTokenLength: given.maxTokenLength ?? 16_384,
    lazy: given.lazy ?? false,
    requestAlias: given.requestAlias ?? false,
    isRevoked: given.isRevoked,
    guard: { tokenFrom: given.tokenFrom && [given.tokenFrom].flat(), property: given.property ?? 'user' },
  };
}

/** Until the last instance publishes a key, and until no cache has a key set of the time before that. In seconds. */
function untilAllKnow(refreshInterval: number): number {
  return Math.ceil(refreshInterval * (1 + REFRESH_JITTER)) + JWKS_MAX_AGE + JWKS_STALE_WHILE_REVALIDATE;
}

function checkSource(given: KmsJwtModuleOptions): void {
  const { keyId, jwksUri, jwks } = given;
  const sources = [keyId, jwksUri, jwks].filter((source) => source !== undefined);
  if (sources.length === 0) {
    throw new KmsJwtOptionsError(
      'keyId',
      `is missing: it ${MODULE_RULES.keyId[1]} (jwksUri or jwks only to verify)`,
    );
  }
  if (sources.length > 1) throw new KmsJwtOptionsError('keyId', 'and jwksUri and jwks exclude each other');
  const needsKey = SIGNING_ONLY.find((option) => given[option] !== undefined);
  if (keyId === undefined && needsKey) throw new KmsJwtOptionsError(needsKey, 'needs a keyId');
  if (keyId !== undefined && given.requestAlias && !isAlias(keyId)) {
    throw new KmsJwtOptionsError('requestAlias', 'needs a keyId that is an alias');
  }
  const isShared = typeof given.client === 'object' && 'send' in given.client;
  if (given.regions && isShared) {
    throw new KmsJwtOptionsError('client', 'must be a configuration or a function where there are regions');
  }
  if (!given.regions && isFunction(given.client)) {
    throw new KmsJwtOptionsError('client', 'may be a function only where there are regions');
  }
}

const SIGNING_ONLY = [
  'verificationKeys',
  'regions',
  'client',
  'signOptions',
  'kid',
  'messageType',
  'requestAlias',
  'maxConcurrency',
  'maxQueue',
  'activationDelay',
  'retireAfter',
  'ringStore',
] as const satisfies (keyof KmsJwtModuleOptions)[];

/** Checks what must be known before the options: @throws KmsJwtOptionsError that names what is of the wrong type */
export function checkModuleExtras(given: ExtrasToCheck): void {
  if (!isObject(given)) throw new KmsJwtOptionsError('options', 'must be an object');
  if (given.name !== undefined && !isText(given.name)) throw new KmsJwtOptionsError('name', text[1]);
  if (!flag[0](given.isGlobal)) throw new KmsJwtOptionsError('isGlobal', flag[1]);
  if (!flag[0](given.discovery)) throw new KmsJwtOptionsError('discovery', flag[1]);
  if (given.jwksPath !== undefined && !isPath(given.jwksPath)) {
    throw new KmsJwtOptionsError('jwksPath', "must be a path such as '.well-known/jwks.json'");
  }
  if (given.discovery && given.jwksPath === undefined)
    throw new KmsJwtOptionsError('discovery', 'needs jwksPath');
}

interface ExtrasToCheck {
  name?: string;
  isGlobal?: boolean;
  jwksPath?: string;
  discovery?: boolean;
}

/** @throws KmsJwtOptionsError that names what is unknown or of the wrong type */
export function readSignOptions(given: SignOptions, defaults: SignSettings): SignSettings {
  check('', given, SIGN_RULES);
  return { ...defaults, ...toSignSettings(given) };
}

/** @throws KmsJwtOptionsError that names what is unknown or of the wrong type */
export function readDecodeOptions(given: DecodeOptions): DecodeOptions {
  check('', given, { complete: flag });
  return given;
}

/** @throws KmsJwtOptionsError that names what is unknown or of the wrong type */
export function readVerifyOptions(given: VerifyOptions, defaults: VerifySettings): VerifySettings {
  check('', given, VERIFY_RULES);
  return { ...defaults, ...toVerifySettings(given) };
}

/**
 * What is there but undefined is refused like any other wrong value: `audience: process.env.AUDIENCE` must not
 * switch a check off because a variable is missing.
 */
function check<Options extends object>(path: string, given: Options, rules: Partial<Rules<Options>>): void {
  if (!isObject(given)) throw new KmsJwtOptionsError(path || 'options', 'must be an object');
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) ? rules[name as keyof Options] : undefined;
    if (!rule) {
      throw new KmsJwtOptionsError(path + name, `is unknown: known are ${Object.keys(rules).join(', ')}`);
    }
    const [accepts, expected] = rule;
    if (!accepts(value)) throw new KmsJwtOptionsError(path + name, expected);
  }
}

// Nothing hangs on the module's own options but a default, and `client: inCloud ? client : undefined` is common.
function withoutUndefined<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options;
}

// Lists, objects and expressions are copied: what was checked must not change afterwards.
function toSignSettings({ expiresIn, notBefore, audience, header, ...rest }: SignOptions): SignSettings {
  return {
    ...rest,
    ...(audience !== undefined && { audience: typeof audience === 'string' ? audience : [...audience] }),
    // Not structuredClone, which refuses a Proxy, such as a store of state makes of every object.
    ...(header !== undefined && { header: JSON.parse(JSON.stringify(header)) as JwtHeader }),
    ...(expiresIn !== undefined && { expiresIn: toSeconds(expiresIn) }),
    ...(notBefore !== undefined && { notBefore: toSeconds(notBefore) }),
  };
}

function toVerifySettings({
  audience,
  issuer,
  maxAge,
  typ,
  requiredClaims,
  ...rest
}: VerifyOptions): VerifySettings {
  return {
    ...rest,
    ...(requiredClaims !== undefined && { requiredClaims: [...requiredClaims] }),
    ...(audience !== undefined && { audience: toExpectedList(audience) }),
    ...(issuer !== undefined && { issuer: toExpectedList(issuer) }),
    ...(maxAge !== undefined && { maxAge: toSeconds(maxAge) }),
    ...(typ !== undefined && { typ: canonicalType(typ) }),
  };
}

function toExpectedList(values: Expected | Expected[]): Expected[] {
  return [values].flat().map((value) => (typeof value === 'string' ? value : new RegExp(value)));
}
