import { types } from 'node:util';
import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import ms from 'ms';
import { KmsJwtOptionsError } from './errors.js';
import type { ClaimsToAdd, ClaimsToExpect, Expected, JwtClaims } from './jwt/claims.js';
import type { JwtHeader } from './jwt/compact.js';
import { isPlainObject, lossInJson } from './jwt/json.js';
import type { JsonWebKey } from './jwt/jwk.js';

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

/** The options of `KmsJwtModule.forRoot`, and of what `forRootAsync` resolves to. */
export interface KmsJwtModuleOptions {
  /** The key that signs: key id, key ARN, alias name (`alias/…`) or alias ARN. It must be ECC_NIST_P256 for SIGN_VERIFY. */
  keyId: string;
  /**
   * The KMS client, or the configuration of one. Default: `new KMSClient({})`, with AWS's own chains for region and
   * credentials; where `keyId` is an ARN and no region is configured here, the ARN's region. A client that is handed in is left alone at shutdown; one that is made here is destroyed.
   */
  client?: KMSClient | KMSClientConfig;
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

/** The module's options after reading, every default in place. */
export interface KmsJwtSettings {
  keyId: string;
  client: KMSClient | KMSClientConfig;
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
const isAlias = (keyId: string) => /^(arn:[^:]+:kms:[^:]*:[^:]*:)?alias\//.test(keyId);

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
  client: [isObject, 'must be a KMSClient or its configuration'],
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
  if (given.keyId === undefined)
    throw new KmsJwtOptionsError('keyId', `is missing: it ${MODULE_RULES.keyId[1]}`);
  if (given.requestAlias && !isAlias(given.keyId)) {
    throw new KmsJwtOptionsError('requestAlias', 'needs a keyId that is an alias');
  }
  check('signOptions.', given.signOptions ?? {}, MODULE_SIGN_RULES);
  check('verifyOptions.', given.verifyOptions ?? {}, MODULE_VERIFY_RULES);

  const sign = toSignSettings(given.signOptions ?? {});
  const { issuer, audience } = given.signOptions ?? {};
  const expectedOfOwnTokens = toVerifySettings({ ...(issuer && { issuer }), ...(audience && { audience }) });
  return {
    keyId: given.keyId,
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

/** Checks what must be known before the options: @throws KmsJwtOptionsError that names what is of the wrong type */
export function checkModuleExtras(given: { name?: string; isGlobal?: boolean }): void {
  if (!isObject(given)) throw new KmsJwtOptionsError('options', 'must be an object');
  if (given.name !== undefined && !isText(given.name)) throw new KmsJwtOptionsError('name', text[1]);
  if (!flag[0](given.isGlobal)) throw new KmsJwtOptionsError('isGlobal', flag[1]);
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

function isSchema(value: unknown): boolean {
  const standard =
    (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value;
  return standard && typeof (value as StandardSchemaV1)['~standard']?.validate === 'function';
}
