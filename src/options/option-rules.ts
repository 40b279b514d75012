// What every option must be: one rule each.
import { types } from 'node:util';
import type { StandardSchemaV1 } from '@standard-schema/spec';
import ms from 'ms';
import { canonicalType } from '../jwt/compact.js';
import { keysIn, verificationKeyFrom } from '../jwt/jwk.js';
import { isPlainObject, lossInJson } from '../jwt/json.js';
import type { Duration, KmsJwtModuleOptions, SignOptions, VerifyOptions } from './kms-jwt.options.js';

export type Rule = readonly [accepts: (value: unknown) => boolean, expected: string];
export type Rules<Options> = { readonly [Name in keyof Required<Options>]: Rule };

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isList = (value: unknown, accepts: (member: unknown) => boolean) =>
  Array.isArray(value) && value.length > 0 && value.every(accepts);
const isExpected = (value: unknown) => isText(value) || types.isRegExp(value);
export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isSignal = (value: unknown) =>
  isObject(value) &&
  ['throwIfAborted', 'addEventListener', 'removeEventListener'].every((method) => method in value);
export const isFunction = (value: unknown) => typeof value === 'function';
export const text: Rule = [isText, 'must be a string that is not empty'];
export const flag: Rule = [
  (value) => value === undefined || typeof value === 'boolean',
  'must be true or false',
];
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
const RESERVED_PARAMETERS = ['alg', 'kid', 'crit', 'b64', 'enc'];

export const SIGN_RULES: Rules<SignOptions> = {
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
    'must be a plain object of JSON values without alg, kid, crit, b64 and enc (the key gives the first two, the others are not supported), its typ a media type',
  ],
  noTimestamp: flag,
  signal: [(value) => value === undefined || isSignal(value), 'must be an AbortSignal'],
};

export const VERIFY_RULES: Rules<VerifyOptions> = {
  audience: expectedValues,
  issuer: expectedValues,
  subject: text,
  jwtid: text,
  nonce: text,
  requiredClaims: [(value) => isList(value, isText), 'must be an array of claim names, not empty'],
  typ: [isType, "must be a media type such as 'at+jwt'"],
  maxAge: duration,
  clockTolerance: [(value) => isSeconds(value) && value >= 0, 'must be a number of seconds, 0 or more'],
  clockTimestamp: [(value) => isSeconds(value) && value >= 0, 'must be a number of seconds since 1970'],
  ignoreExpiration: flag,
  ignoreNotBefore: flag,
  schema: [isSchema, 'must be a Standard Schema (https://standardschema.dev)'],
  complete: flag,
};

export const MODULE_RULES: Rules<KmsJwtModuleOptions> = {
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
    (value) => keysIn(value).length > 0,
    'must be a JWK Set with a public key for ES256 that has a kid, among its first 100',
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
  maxConcurrency: positive('calls'),
  maxQueue: [
    (value) => Number.isSafeInteger(value) && (value as number) >= 0,
    'must be a whole number of calls, 0 or more',
  ],
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

// A signal, a time and the shape of the answer belong to one call.
const { signal: _signal, ...forEverySign } = SIGN_RULES;
const { complete: _complete, clockTimestamp: _timestamp, ...forEveryVerify } = VERIFY_RULES;
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
  return isText(value) && canonicalType(value) !== '';
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
  const { protocol, hostname, username, password } = new URL(value);
  // An error would print them.
  if (username !== '' || password !== '') return false;
  return (
    protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
  );
}

function isSchema(value: unknown): boolean {
  const standard =
    (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value;
  return standard && typeof (value as StandardSchemaV1)['~standard']?.validate === 'function';
}

// Nothing that Express or Fastify would read as a pattern.
export function isPath(value: unknown): boolean {
  return typeof value === 'string' && /^[\w.~/-]{1,200}$/.test(value);
}
