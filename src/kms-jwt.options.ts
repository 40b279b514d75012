import { types } from 'node:util';
import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import ms from 'ms';
import { KmsJwtOptionsError } from './errors.js';
import type { ClaimsToAdd, ClaimsToExpect, Expected, JwtClaims } from './jwt/claims.js';
import type { JwtHeader } from './jwt/compact.js';
import { isPlainObject, lossInJson } from './jwt/json.js';
import { type JsonWebKey, verificationKeyFrom } from './jwt/jwk.js';

/**
 * A span of time: a number of whole seconds, or a text with its unit, such as `'15m'`, `'12h'` or `'7d'`, as the
 * package `ms` reads it. A text without a unit is refused: `ms` would take `'900'` for 900 milliseconds.
 */
export type Duration = number | string;

/** How one token is signed; `signOptions` of the module gives the defaults. */
export interface SignOptions {
  /** How long the token is valid from `iat` on; sets `exp`. Default: no `exp`, so that it never expires. */
  expiresIn?: Duration;
  /** How long after `iat` the token becomes valid (may be negative); sets `nbf`. Default: no `nbf`. */
  notBefore?: Duration;
  /** Sets `aud`. */
  audience?: string | string[];
  /** Sets `iss`. */
  issuer?: string;
  /** Sets `sub`. */
  subject?: string;
  /** Sets `jti`. */
  jwtid?: string;
  /**
   * Further header parameters, such as `{ typ: 'at+jwt' }` (RFC 9068). `alg` and `kid` come from the key, and `crit`
   * and `b64` (RFC 7797) are not supported: none of the four can be set.
   */
  header?: Record<string, unknown> & { typ?: string; alg?: never; kid?: never; crit?: never; b64?: never };
  /** Leaves `iat` out. Default: false. */
  noTimestamp?: boolean;
  /** Gives up when it aborts: `sign` then rejects with the signal's reason at once. */
  signal?: AbortSignal;
}

/** How one token is verified; `verifyOptions` of the module gives the defaults. */
export interface VerifyOptions {
  /**
   * Who may be meant by `aud`: one of these must be among them, as a whole string or as the expression matches.
   * Default: the module's `signOptions.audience`; where there is none, `aud` is not looked at.
   */
  audience?: Expected | Expected[];
  /** Who may be in `iss`. Default: the module's `signOptions.issuer`; where there is none, `iss` is not looked at. */
  issuer?: Expected | Expected[];
  /** What `sub` must be. */
  subject?: string;
  /** What `jti` must be. */
  jwtid?: string;
  /** What `nonce` must be (OpenID Connect Core 1.0, section 3.1.3.7). */
  nonce?: string;
  /** Claims that must be there, whatever their value. */
  requiredClaims?: string[];
  /**
   * What the header's `typ` must be (RFC 8725, section 3.11), told apart without case and with or without
   * `application/`. Default: `JWT`, or no `typ`.
   */
  typ?: string;
  /** How old the token may be, counted from `iat`, which it must then have. Default: any age. */
  maxAge?: Duration;
  /** By how many seconds the clocks of signer and verifier may differ. Default: 0. */
  clockTolerance?: number;
  /** The time to verify for, in seconds since 1970. Default: now. */
  clockTimestamp?: number;
  /** Accepts expired tokens. Default: false. */
  ignoreExpiration?: boolean;
  /** Accepts tokens before their `nbf`. Default: false. */
  ignoreNotBefore?: boolean;
  /**
   * Any Standard Schema (zod, valibot, ArkType, …) for the claims; `verify` returns its output. A token that does not
   * fit is refused with a `TokenClaimError`.
   */
  schema?: StandardSchemaV1;
  /** Returns header, payload and signature instead of the claims alone. Default: false. */
  complete?: boolean;
}

/** The options of `verify` that may also stand for every token of the module, or of a route. */
export type RouteVerifyOptions = Omit<VerifyOptions, 'complete' | 'clockTimestamp'>;

/**
 * What a token can be read from. On HTTP it is the request itself, as Express, Fastify or Node made it; other transports
 * give what they have of it: the handshake of a WebSocket, the metadata of a gRPC call, the headers of a message.
 */
export interface TokenCarrier {
  /** By lower-case name. */
  headers: Record<string, string | string[] | undefined>;
  /** As a cookie parser left them, where the app has one. */
  cookies?: unknown;
  query?: unknown;
  /** As the request line has it; empty where there is none. */
  url?: string;
  /** The body of the request; on transports without a body, the data of the message. */
  body?: unknown;
}

/**
 * Finds the token in a request: `null` or `undefined` where there is none. Functions of passport-jwt's `ExtractJwt` are
 * token extractors.
 */
export type TokenExtractor = (request: TokenCarrier) => string | null | undefined;

/**
 * Tells whether a token is not to be accepted any more.
 *
 * @param claims of a token that is valid in every other respect
 * @param header of the same token
 */
export type RevocationCheck = (claims: JwtClaims, header: JwtHeader) => boolean | Promise<boolean>;

/**
 * What a key is called in tokens and key sets:
 * `'key-id'`, the last part of its ARN; `'thumbprint'`, RFC 7638's SHA-256 thumbprint; or what a function makes of the
 * key's ARN and its public JWK.
 */
export type KidOption =
  'key-id' | 'thumbprint' | ((key: { keyArn: string; jwk: Omit<JsonWebKey, 'kid'> }) => string);

/**
 * What is kept of a ring, as JSON: public keys alone, and when they change their part. Times are milliseconds since
 * 1970.
 */
export interface StoredRing {
  active?: { keyArn: string; jwk: JsonWebKey };
  next?: { keyArn: string; jwk: JsonWebKey; activatesAt: number };
  retired: { jwk: JsonWebKey; retiresAt: number }[];
}

/**
 * A place where the keys of a rotation survive a restart. Whoever can write there can have tokens accepted: protect it
 * as you protect the configuration.
 *
 * @example
 * const ringStore: KmsJwtRingStore = {
 *   load: async () => JSON.parse((await redis.get('auth:ring')) ?? 'null') ?? undefined,
 *   save: async (ring) => void (await redis.set('auth:ring', JSON.stringify(ring))),
 * };
 */
export interface KmsJwtRingStore {
  /** What was saved last; undefined where nothing was. */
  load(): Promise<StoredRing | undefined>;
  save(ring: StoredRing): Promise<void>;
}

/**
 * The options of `KmsJwtModule.forRoot`, and of what `forRootAsync` resolves to. One of `keyId`, `jwksUri` and `jwks` says
 * where the keys are: the latter two for services that only verify.
 */
export interface KmsJwtModuleOptions {
  /** The key that signs: key id, key ARN, alias name (`alias/…`) or alias ARN. It must be ECC_NIST_P256 for SIGN_VERIFY. */
  keyId?: string;
  /**
   * Further keys that verify and are published: the next one, so that all know it before the alias moves to it, or former
   * ones. Keys of KMS as for `keyId`, or public JWKs. Default: none.
   */
  verificationKeys?: (string | JsonWebKey)[];
  /**
   * The Regions of a Multi-Region key, in the order of preference. The first signs; where it is unavailable the next does,
   * within the same `timeout`. Default: the client's Region alone.
   */
  regions?: string[];
  /** How often an alias is looked up again. Default: 300 seconds, 10 % more or less. */
  refreshInterval?: Duration;
  /**
   * For how long a key is published before it signs, when the alias has moved to it; 0 for at once. A key that was published
   * before signs at once. Default: 360 seconds, as long as a cache may keep the key set of `jwksPath`.
   */
  activationDelay?: Duration;
  /**
   * For how long a key verifies after the last token that it signed. Default: as long as the longest-lived token that was
   * signed here; 24 hours where that is not known or a token lives for ever.
   */
  retireAfter?: Duration;
  /** Where the keys of a rotation survive a restart. Default: nowhere. */
  ringStore?: KmsJwtRingStore;
  /**
   * The key set of the issuer, for a service that only verifies: it needs neither AWS nor its SDK. https, or http on
   * loopback. It is fetched again as its `Cache-Control` says, and the last one stays while the issuer is away.
   */
  jwksUri?: string;
  /** The key set itself, for a service that only verifies. */
  jwks?: { keys: readonly object[] };
  /**
   * The KMS client, or the configuration of one. Default: `new KMSClient({})`, with AWS's own chains for region and
   * credentials; where `keyId` is an ARN and no region is configured here, the ARN's region. With `regions` a configuration,
   * or a function that gives the client of each. A client that is handed in is left alone at shutdown; one that is made here is destroyed.
   */
  client?: KMSClient | KMSClientConfig | ((region: string) => KMSClient);
  /** Defaults for every `sign`. Issuer and audience are also what `verify` expects, unless it is told otherwise. */
  signOptions?: Omit<SignOptions, 'signal'>;
  /** Defaults for every `verify`, the guard's included. */
  verifyOptions?: RouteVerifyOptions;
  /** What the key is called in tokens and key sets. Default: `'key-id'`. */
  kid?: KidOption;
  /**
   * What is sent to KMS (AWS `Sign`, `MessageType`): `'DIGEST'`, the SHA-256 of the token, or `'RAW'`, the token
   * itself, up to 4,096 bytes. Default: `'DIGEST'`.
   */
  messageType?: 'DIGEST' | 'RAW';
  /** How long one call of KMS may take, its retries included, in milliseconds. Default: 3000. */
  timeout?: number;
  /** How long a token may be to be verified or decoded, in characters. Default: 16384. */
  maxTokenLength?: number;
  /** Fetches the public key at the first use instead of at start. Default: false. */
  lazy?: boolean;
  /**
   * Sends `keyId`, an alias, in Sign calls instead of the key's ARN, for key policies with the condition key
   * `kms:RequestAlias`. Default: false, so that a moved alias cannot sign under another key's `kid`.
   */
  requestAlias?: boolean;
  /**
   * Where the guard looks for the token. It must be in one of these places: a request with two tokens is refused (RFC
   * 6750, section 2). Default: `fromAuthHeader()`.
   */
  tokenFrom?: TokenExtractor | TokenExtractor[];
  /** The property of the request that the guard puts the claims at. Default: `'user'`, as passport does. */
  property?: string;
  /**
   * Asked for every token that is valid in all other respects. Where it throws, or does not answer `true` or `false`
   * within `timeout`, the token is refused with a `RevocationUnavailableError`: a 503. Default: nothing is revoked.
   */
  isRevoked?: RevocationCheck;
}

/** What `useClass` and `useExisting` of `forRootAsync` must implement. */
export interface KmsJwtOptionsFactory {
  createKmsJwtOptions(): KmsJwtModuleOptions | Promise<KmsJwtModuleOptions>;
}

/** `SignOptions` after reading: durations in seconds. */
export interface SignSettings extends ClaimsToAdd {
  header?: JwtHeader;
  signal?: AbortSignal;
}

/** `VerifyOptions` after reading: durations in seconds, lists as lists. */
export interface VerifySettings extends ClaimsToExpect {
  typ?: string;
  clockTimestamp?: number;
  schema?: StandardSchemaV1;
  complete?: boolean;
}

/** The module's options after reading, every default in place. Durations in seconds, but for `timeout`. */
export interface KmsJwtSettings {
  keyId: string | undefined;
  jwksUri: string | undefined;
  jwks: { keys: readonly object[] } | undefined;
  verificationKeys: readonly (string | JsonWebKey)[];
  regions: readonly string[];
  refreshInterval: number;
  activationDelay: number;
  retireAfter: number | undefined;
  ringStore: KmsJwtRingStore | undefined;
  client: NonNullable<KmsJwtModuleOptions['client']>;
  sign: SignSettings;
  verify: VerifySettings;
  kid: KidOption;
  messageType: 'DIGEST' | 'RAW';
  timeout: number;
  maxTokenLength: number;
  lazy: boolean;
  requestAlias: boolean;
  isRevoked: RevocationCheck | undefined;
  guard: GuardSettings;
}

/** What the guard has to know of the module's options. */
export interface GuardSettings {
  tokenFrom: readonly TokenExtractor[] | undefined;
  property: string;
}

/** For how long caches may keep the key set, in seconds: RFC 9111's max-age, and stale-while-revalidate of RFC 5861. */
export const JWKS_MAX_AGE = 300;
export const JWKS_STALE_WHILE_REVALIDATE = 60;
const DEFAULT_ACTIVATION_DELAY = JWKS_MAX_AGE + JWKS_STALE_WHILE_REVALIDATE;

type Rule = readonly [accepts: (value: unknown) => boolean, expected: string];
type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule };

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isList = (value: unknown, accepts: (member: unknown) => boolean) =>
  Array.isArray(value) && value.length > 0 && value.every(accepts);
const isExpected = (value: unknown) => isText(value) || types.isRegExp(value);
const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isSignal = (value: unknown) =>
  isObject(value) &&
  ['throwIfAborted', 'addEventListener', 'removeEventListener'].every((method) => method in value);
const isFunction = (value: unknown) => typeof value === 'function';
/** Whether a key is named by what can come to mean another key. */
export function isAlias(keyId: string): boolean {
  return /^(arn:[^:]+:kms:[^:]*:[^:]*:)?alias\//.test(keyId);
}

const text: Rule = [isText, 'must be a string that is not empty'];
const flag: Rule = [(value) => value === undefined || typeof value === 'boolean', 'must be true or false'];
const positive = (unit: string, most = Number.MAX_SAFE_INTEGER): Rule => [
  (value) => Number.isInteger(value) && (value as number) > 0 && (value as number) <= most,
  `must be a positive whole number of ${unit}, ${most} at most`,
];
const record: Rule = [isObject, 'must be an object'];
const duration: Rule = [
  (value) => isDuration(value) && toSeconds(value) > 0,
  "must be a positive number of whole seconds, or a text with its unit such as '15m'",
];
const expectedValues: Rule = [
  (value) => isExpected(value) || isList(value, isExpected),
  'must be a string or a RegExp, or an array of them, and not empty',
];
const RESERVED_PARAMETERS = ['alg', 'kid', 'crit', 'b64'];

const SIGN_RULES: Rules<SignOptions> = {
  expiresIn: duration,
  notBefore: [isDuration, "must be a number of whole seconds, or a text with its unit such as '10s'"],
  audience: [
    (value) => isText(value) || isList(value, isText),
    'must be a string or an array of strings, not empty',
  ],
  issuer: text,
  subject: text,
  jwtid: text,
  header: [
    isHeader,
    'must be a plain object of JSON values without alg, kid, crit and b64 (the key gives the first two, the others are not supported), its typ a string',
  ],
  noTimestamp: flag,
  signal: [(value) => value === undefined || isSignal(value), 'must be an AbortSignal'],
};

const VERIFY_RULES: Rules<VerifyOptions> = {
  audience: expectedValues,
  issuer: expectedValues,
  subject: text,
  jwtid: text,
  nonce: text,
  requiredClaims: [(value) => isList(value, isText), 'must be an array of claim names, not empty'],
  typ: text,
  maxAge: duration,
  clockTolerance: [(value) => isSeconds(value) && value >= 0, 'must be a number of seconds, 0 or more'],
  clockTimestamp: [(value) => isSeconds(value) && value >= 0, 'must be a number of seconds since 1970'],
  ignoreExpiration: flag,
  ignoreNotBefore: flag,
  schema: [isSchema, 'must be a Standard Schema (https://standardschema.dev)'],
  complete: flag,
};

const MODULE_RULES: Rules<KmsJwtModuleOptions> = {
  keyId: [isText, 'must be a key id, key ARN, alias name (alias/…) or alias ARN'],
  verificationKeys: [
    (value) => Array.isArray(value) && value.every((key) => isText(key) || isVerificationKey(key)),
    'must be an array of keys of KMS, as keyId names them, and public JWKs for ES256 with a kid',
  ],
  regions: [
    (value) => isList(value, isText) && new Set(value as string[]).size === (value as string[]).length,
    'must be an array of AWS Regions, each once',
  ],
  refreshInterval: duration,
  activationDelay: [(value) => isDuration(value) && toSeconds(value) >= 0, `${duration[1]}, or 0`],
  retireAfter: duration,
  ringStore: [
    (value) => isObject(value) && ['load', 'save'].every((method) => isFunction(Reflect.get(value, method))),
    'must have the methods load and save, as FileRingStore has',
  ],
  jwksUri: [isKeySetUri, 'must be an https URL, or an http URL on loopback'],
  jwks: [
    (value) =>
      isObject(value) && 'keys' in value && Array.isArray(value.keys) && value.keys.some(isVerificationKey),
    'must be a JWK Set with a public key for ES256 that has a kid',
  ],
  client: [
    (value) => isObject(value) || isFunction(value),
    'must be a KMSClient, its configuration or a function',
  ],
  signOptions: record,
  verifyOptions: record,
  kid: [
    (value) => value === 'key-id' || value === 'thumbprint' || isFunction(value),
    "must be 'key-id', 'thumbprint' or a function",
  ],
  messageType: [(value) => value === 'DIGEST' || value === 'RAW', "must be 'DIGEST' or 'RAW'"],
  // A longer timer fires at once.
  timeout: positive('milliseconds', 2 ** 31 - 1),
  maxTokenLength: positive('characters'),
  lazy: flag,
  requestAlias: flag,
  tokenFrom: [
    (value) => isFunction(value) || isList(value, isFunction),
    'must be a token extractor such as fromAuthHeader(), or an array of them, not empty',
  ],
  property: text,
  isRevoked: [isFunction, 'must be a function'],
};

const { signal: _, ...MODULE_SIGN_RULES } = SIGN_RULES;
const { complete: __, clockTimestamp: ___, ...MODULE_VERIFY_RULES } = VERIFY_RULES;

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
  const { issuer, audience } = given.signOptions ?? {};
  const expectedOfOwnTokens = toVerifySettings({ ...(issuer && { issuer }), ...(audience && { audience }) });
  return {
    keyId: given.keyId,
    jwksUri: given.jwksUri,
    jwks: given.jwks,
    verificationKeys: [...(given.verificationKeys ?? [])],
    regions: [...(given.regions ?? [])],
    refreshInterval: toSeconds(given.refreshInterval ?? 300),
    // An alias that is sent signs with its new key at once.
    activationDelay: given.requestAlias ? 0 : toSeconds(given.activationDelay ?? DEFAULT_ACTIVATION_DELAY),
    retireAfter: given.retireAfter === undefined ? undefined : toSeconds(given.retireAfter),
    ringStore: given.ringStore,
    client: given.client ?? {},
    sign,
    verify: { ...expectedOfOwnTokens, ...toVerifySettings(given.verifyOptions ?? {}) },
    kid: given.kid ?? 'key-id',
    messageType: given.messageType ?? 'DIGEST',
    timeout: given.timeout ?? 3000,
    maxTokenLength: given.maxTokenLength ?? 16_384,
    lazy: given.lazy ?? false,
    requestAlias: given.requestAlias ?? false,
    isRevoked: given.isRevoked,
    guard: { tokenFrom: given.tokenFrom && [given.tokenFrom].flat(), property: given.property ?? 'user' },
  };
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

// Nothing that Express or Fastify would read as a pattern.
function isPath(value: unknown): boolean {
  return typeof value === 'string' && /^[\w.~/-]{1,200}$/.test(value);
}

/** @throws KmsJwtOptionsError that names what is unknown or of the wrong type */
export function readSignOptions(given: SignOptions, defaults: SignSettings): SignSettings {
  check('', given, SIGN_RULES);
  return { ...defaults, ...toSignSettings(given) };
}

/** Options of `decode`. */
export interface DecodeOptions {
  /** Returns header, payload and signature instead of the claims alone. Default: false. */
  complete?: boolean;
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

// Lists and objects are copied: what was checked must not change afterwards.
function toSignSettings({ expiresIn, notBefore, audience, header, ...rest }: SignOptions): SignSettings {
  return {
    ...rest,
    ...(audience !== undefined && { audience: typeof audience === 'string' ? audience : [...audience] }),
    ...(header !== undefined && { header: structuredClone(header) }),
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
  return [values].flat().map((value) => (typeof value === 'string' ? value : withoutMemory(value)));
}

// A RegExp with the flag g or y remembers where it stopped, and would refuse every other token.
function withoutMemory(expression: RegExp): RegExp {
  if (!expression.global && !expression.sticky) return expression;
  return new RegExp(expression, expression.flags.replace(/[gy]/g, ''));
}

/** RFC 7515, section 4.1.9: media types are told apart without case, and `application/` may be left out. */
export function canonicalType(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '');
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isDuration(value: unknown): value is Duration {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  return typeof value === 'string' && /[a-z]$/i.test(value) && Number.isSafeInteger(toSeconds(value));
}

function toSeconds(value: Duration): number {
  return typeof value === 'number' ? value : ms(value as ms.StringValue) / 1000;
}

function isHeader(value: unknown): boolean {
  if (!isPlainObject(value) || RESERVED_PARAMETERS.some((parameter) => Object.hasOwn(value, parameter)))
    return false;
  return (!('typ' in value) || isText(value['typ'])) && isLossless(value);
}

function isLossless(value: unknown): boolean {
  try {
    return lossInJson(value) === undefined;
  } catch {
    // A circle, or a getter that throws.
    return false;
  }
}

function isVerificationKey(value: unknown): boolean {
  return verificationKeyFrom(value) !== undefined;
}

function isKeySetUri(value: unknown): boolean {
  if (!isText(value) || !URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  return (
    protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
  );
}

function isSchema(value: unknown): boolean {
  const standard =
    (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value;
  return standard && typeof (value as StandardSchemaV1)['~standard']?.validate === 'function';
}
