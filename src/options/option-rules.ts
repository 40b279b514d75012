// What every option must be: one rule each, with the words that follow its name in the error message.
import { types } from 'node:util';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import ms from 'ms';
import { ALGORITHM_NAMES, ALGORITHMS } from '../jwt/algorithms.js';
import { canonicalType } from '../jwt/compact.js';
import { isPlainObject, lossInJson } from '../jwt/json.js';
import { MAX_CACHED_TOKENS, MAX_TIMER_MS } from './defaults.js';
import type { Duration } from './duration.js';
import { originFrom } from './origin.js';
import type { GuardOptions, KmsJwtModuleOptions, SignOptions, VerifyOptions } from './kms-jwt.options.js';
import type { CacheOptions, LimitOptions } from './limits.options.js';
import type { KmsJwtModuleExtras } from './module-extras.js';
import type { RotationOptions } from './rotation.options.js';

export type Rule = readonly [accepts: (value: unknown) => boolean, expected: string];
export type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule };

const isNonEmptyString = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isList = (value: unknown, accepts: (member: unknown) => boolean) =>
  Array.isArray(value) && value.length > 0 && value.every(accepts);
const isExpected = (value: unknown) => isNonEmptyString(value) || types.isRegExp(value);
export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isSignal = (value: unknown) =>
  isObject(value) &&
  ['throwIfAborted', 'addEventListener', 'removeEventListener'].every((method) => method in value);
export const isFunction = (value: unknown) => typeof value === 'function';
const nonEmptyString: Rule = [isNonEmptyString, 'must be a non-empty string'];
export const flag: Rule = [(value) => typeof value === 'boolean', 'must be true or false'];
const isWholeNumber = (value: unknown, least: number, most = Number.MAX_SAFE_INTEGER) =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most;
const positive = (unit: string): Rule => [
  (value) => isWholeNumber(value, 1),
  `must be a positive whole number of ${unit}`,
];
const milliseconds: Rule = [
  (value) => isWholeNumber(value, 1, MAX_TIMER_MS),
  `must be a positive whole number of milliseconds, at most ${MAX_TIMER_MS}`,
];
const record: Rule = [isObject, 'must be an object'];
export const duration: Rule = [
  (value) => isDuration(value) && toSeconds(value) > 0,
  "must be a positive number of whole seconds, or a string with a unit such as '15m'",
];
const expectedValues: Rule = [
  (value) => isExpected(value) || isList(value, isExpected),
  'must be a string or a RegExp, or an array of them, not empty',
];
const RESERVED_PARAMETERS = ['alg', 'kid', 'crit', 'b64', 'enc'];

const verificationMode: Rule = [(value) => value === 'local' || value === 'kms', "must be 'local' or 'kms'"];

export const SIGN_RULES: Rules<SignOptions> = {
  expiresIn: duration,
  notBefore: [isDuration, "must be a number of whole seconds, or a string with a unit such as '10s'"],
  audience: [
    (value) => isNonEmptyString(value) || isList(value, isNonEmptyString),
    'must be a string or an array of strings, not empty',
  ],
  issuer: nonEmptyString,
  subject: nonEmptyString,
  jwtid: nonEmptyString,
  header: [
    isHeader,
    'must be a plain object of JSON values without alg, kid, crit, b64 and enc (alg and kid come from the key, the others are not supported); typ must be a media type',
  ],
  noTimestamp: flag,
  signal: [isSignal, 'must be an AbortSignal'],
};

export const VERIFY_RULES: Rules<VerifyOptions> = {
  audience: expectedValues,
  issuer: expectedValues,
  subject: nonEmptyString,
  jwtid: nonEmptyString,
  nonce: nonEmptyString,
  requiredClaims: [(value) => isList(value, isNonEmptyString), 'must be an array of claim names, not empty'],
  issuers: [(value) => isList(value, isNonEmptyString), 'must be an array of names of issuers, not empty'],
  typ: [isType, "must be a media type such as 'at+jwt'"],
  maxAge: duration,
  clockTolerance: [(value) => isSeconds(value) && value >= 0, 'must be a number of seconds, 0 or more'],
  clockTimestamp: [(value) => isSeconds(value) && value >= 0, 'must be a number of seconds since 1970'],
  ignoreExpiration: flag,
  ignoreNotBefore: flag,
  schema: [isSchema, 'must be a Standard Schema (https://standardschema.dev)'],
  complete: flag,
  verification: verificationMode,
};

export const MODULE_RULES: Rules<KmsJwtModuleOptions> = {
  keyId: [isNonEmptyString, 'must be a key id, key ARN, alias name (alias/…) or alias ARN'],
  jwksUri: [isKeySetUri, 'must be an https URL, or an http URL on loopback, without credentials'],
  algorithm: [
    (value) => isAlgorithm(value) || (isList(value, isAlgorithm) && hasNoDuplicates(value as string[])),
    `must be an algorithm that KMS signs with, or an array of them, each once: ${ALGORITHM_NAMES.join(', ')}`,
  ],
  jwks: [isObject, 'must be a JWK Set'],
  issuers: [
    (value) => isFunction(value) || isList(value, isObject),
    'must be an array of issuers, not empty, or a function that finds one by its iss',
  ],
  kid: [
    (value) => value === 'key-id' || value === 'thumbprint' || isFunction(value),
    "must be 'key-id', 'thumbprint' or a function",
  ],
  client: [
    (value) => isObject(value) || isFunction(value),
    'must be a KMSClient, its configuration or a function',
  ],
  regions: [
    (value) => isList(value, isNonEmptyString) && hasNoDuplicates(value as string[]),
    'must be an array of AWS Regions, each once',
  ],
  messageType: [(value) => value === 'DIGEST' || value === 'RAW', "must be 'DIGEST' or 'RAW'"],
  requestAlias: flag,
  lazy: flag,
  signOptions: record,
  verifyOptions: record,
  verification: verificationMode,
  isRevoked: [isFunction, 'must be a function'],
  rotation: record,
  cache: [(value) => value === false || isObject(value), 'must be an object, or false'],
  limits: record,
  guard: record,
};

/** Refuses ARNs and aliases, which are neither kids nor thumbprints: they would distrust no key. */
function isKeyIdentifier(value: unknown): boolean {
  return isNonEmptyString(value) && value.trim() === value && !/^(?:arn:|alias\/)/.test(value);
}

export const ROTATION_RULES: Rules<RotationOptions> = {
  refreshInterval: duration,
  activationDelay: [(value) => isDuration(value) && toSeconds(value) >= 0, `${duration[1]}, or 0`],
  retireAfter: duration,
  verificationKeys: [
    (value) => Array.isArray(value) && value.every((key) => isNonEmptyString(key) || isObject(key)),
    'must be an array of KMS keys, in the form of keyId, and public JWKs with a kid',
  ],
  distrustedKeys: [
    (value) => Array.isArray(value) && value.every(isKeyIdentifier),
    'must be an array of kids and RFC 7638 thumbprints, not of ARNs or aliases: by default, the kid is the key id in the ARN',
  ],
  maxStale: duration,
  store: [
    (value) => isObject(value) && ['load', 'save'].every((method) => isFunction(Reflect.get(value, method))),
    'must have the methods load and save, like FileRingStore',
  ],
};

export const LIMIT_RULES: Rules<LimitOptions> = {
  timeout: milliseconds,
  maxConcurrency: positive('calls'),
  maxQueue: [(value) => isWholeNumber(value, 0), 'must be a whole number of calls, 0 or more'],
  maxTokenLength: positive('characters'),
  maxIssuers: positive('issuers'),
};

export const CACHE_RULES: Rules<CacheOptions> = {
  max: [
    (value) => isWholeNumber(value, 1, MAX_CACHED_TOKENS),
    `must be a positive whole number of tokens, at most ${MAX_CACHED_TOKENS}`,
  ],
};

export const GUARD_RULES: Rules<GuardOptions> = {
  tokenFrom: [
    (value) => isFunction(value) || isList(value, isFunction),
    'must be a token extractor such as fromAuthHeader(), or an array of them, not empty',
  ],
  property: nonEmptyString,
  endAtExpiry: flag,
  recheckInterval: duration,
  allowedOrigins: [
    (value) => Array.isArray(value) && value.every(isOrigin),
    "must be an array of origins such as 'https://app.example.com', in lower case, without a path, a wildcard or the default port; or 'null'",
  ],
};

export const EXTRA_RULES: Rules<KmsJwtModuleExtras> = {
  isGlobal: flag,
  name: nonEmptyString,
  jwksPath: [isPath, "must be a path such as '.well-known/jwks.json'"],
  discovery: flag,
};

/** Options of the module that are refused if they are undefined: a check would be silently missing. */
export const CHECKS: ReadonlySet<string> = new Set([
  'signOptions',
  'verifyOptions',
  'verification',
  'isRevoked',
  'distrustedKeys',
  'allowedOrigins',
]);

// A signal, a time and the shape of the result belong to one call; `verification` is an option of the module itself.
const { signal: _signal, ...forEverySign } = SIGN_RULES;
const { complete: _complete, clockTimestamp: _timestamp, verification: _, ...forEveryVerify } = VERIFY_RULES;
export { forEverySign as MODULE_SIGN_RULES, forEveryVerify as MODULE_VERIFY_RULES };

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isDuration(value: unknown): value is Duration {
  if (typeof value === 'number') return Number.isSafeInteger(value);
  return typeof value === 'string' && /[a-z]$/i.test(value) && Number.isSafeInteger(toSeconds(value));
}

export function toSeconds(value: Duration): number {
  return typeof value === 'number' ? value : ms(value as ms.StringValue) / 1000;
}

function isHeader(value: unknown): boolean {
  if (!isPlainObject(value) || RESERVED_PARAMETERS.some((parameter) => Object.hasOwn(value, parameter)))
    return false;
  return (!('typ' in value) || isType(value['typ'])) && isLossless(value);
}

function isType(value: unknown): boolean {
  return isNonEmptyString(value) && canonicalType(value) !== '';
}

function isLossless(value: unknown): boolean {
  try {
    return lossInJson(value) === undefined;
  } catch {
    // A cycle, or a getter that throws.
    return false;
  }
}

function isAlgorithm(value: unknown): boolean {
  return ALGORITHMS.some(({ alg }) => alg === value);
}

function hasNoDuplicates(values: readonly string[]): boolean {
  return new Set(values).size === values.length;
}

export function isKeySetUri(value: unknown): value is string {
  if (!isNonEmptyString(value) || !URL.canParse(value)) return false;
  const { protocol, hostname, username, password } = new URL(value);
  // Error messages contain the URL.
  if (username !== '' || password !== '') return false;
  return (
    protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
  );
}

function isOrigin(value: unknown): boolean {
  return typeof value === 'string' && originFrom(value) === value && !value.includes('*');
}

function isSchema(value: unknown): boolean {
  const standard =
    (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value;
  return standard && typeof (value as StandardSchemaV1)['~standard']?.validate === 'function';
}

// Excludes what Express or Fastify would read as a pattern.
function isPath(value: unknown): boolean {
  return typeof value === 'string' && /^[\w.~/-]{1,200}$/.test(value);
}
