import { types } from 'node:util';
import { KmsJwtOptionsError } from '../errors/errors.js';
import type { Algorithm } from '../jwt/algorithms.js';
import type { ExpectedClaim, JwtClaims } from '../jwt/claims.js';
import { keysIn } from '../jwt/jwk.js';
import { checkPublicKeys, toAlgorithms } from './algorithm-options.js';
import { readOptions } from './checked-options.js';
import type { IssuerKeys, IssuerOptions } from './issuers.options.js';
import type { KmsJwtModuleOptions } from './kms-jwt.options.js';
import { isFunction, isKeySetUri, isObject, MODULE_RULES, type Rules, VERIFY_RULES } from './option-rules.js';
import { toVerifySettings } from './read-verify-options.js';
import type { KmsJwtSettings, VerifySettings } from './settings.js';

/** `IssuerOptions` after reading. */
export interface IssuerSettings {
  readonly issuer: string;
  readonly name: string;
  readonly algorithms: readonly Algorithm[];
  readonly keys: IssuerKeys;
  /** The rules for its tokens, the issuer included. */
  readonly expect: VerifySettings;
  readonly scopes: ((claims: JwtClaims) => readonly string[]) | undefined;
  readonly allowInsecureHttp: boolean;
}

/** The name of the source of a service's own tokens. */
export const OWN_ISSUER = 'own';

/** The message for an issuer or a name that is not unique. */
export const AMBIGUOUS =
  'must be unique: another issuer, or the module itself, already has it, and their tokens could not be distinguished';

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';
const isExpectedClaim = (value: unknown) =>
  isText(value) || typeof value === 'number' || typeof value === 'boolean' || types.isRegExp(value);

const ISSUER_RULES: Rules<IssuerOptions> = {
  issuer: [isText, 'must be the iss of its tokens, a non-empty string'],
  name: [isText, 'must be a non-empty string'],
  audience: VERIFY_RULES.audience,
  algorithms: MODULE_RULES.algorithm,
  keys: [isObject, 'must be { jwksUri }, { discovery: true } or { jwks }'],
  typ: VERIFY_RULES.typ,
  requiredClaims: VERIFY_RULES.requiredClaims,
  claims: [
    (value) =>
      isObject(value) &&
      Object.keys(value).length > 0 &&
      Object.values(value).every((one) => [one].flat().length > 0 && [one].flat().every(isExpectedClaim)),
    'must be an object of claims and their expected values, not empty, each a string, a RegExp, a number or a boolean, or an array of them',
  ],
  scopes: [isFunction, 'must be a function of the claims that returns the scopes'],
  allowInsecureHttp: [(value) => typeof value === 'boolean', 'must be true or false'],
};

/** Whether an option must not be undefined: a check would be silently missing. */
const isCheck = (option: string) => !['name', 'allowInsecureHttp'].includes(option);

/**
 * @param path the path of the record, such as `issuers[0]`
 * @param clockTolerance the tolerance of this service, in seconds
 * @throws KmsJwtOptionsError for the first option that is missing, unknown or of the wrong type
 */
export function readIssuer(
  path: string,
  given: IssuerOptions,
  clockTolerance: number | undefined,
): IssuerSettings {
  const options = readOptions(`${path}.`, given, ISSUER_RULES, isCheck);
  for (const option of ['issuer', 'algorithms', 'keys'] as const) {
    if (options[option] === undefined) throw missingOption(`${path}.${option}`, ISSUER_RULES[option][1]);
  }
  const { issuer, name = issuer, audience, typ, requiredClaims, claims, allowInsecureHttp = false } = options;
  if (name === OWN_ISSUER) throw new KmsJwtOptionsError(`${path}.name`, AMBIGUOUS);
  if (audience === undefined && claims === undefined) {
    const problem =
      'is missing: without it, or claims that name the client, tokens for other applications are accepted';
    throw new KmsJwtOptionsError(`${path}.audience`, problem);
  }
  const algorithms = toAlgorithms(options.algorithms, `${path}.algorithms`);
  const keys = readKeys(path, options.keys, { issuer, algorithms, allowInsecureHttp });
  return {
    issuer,
    name,
    algorithms,
    keys,
    expect: {
      ...toVerifySettings({
        issuer,
        ...(audience !== undefined && { audience }),
        ...(typ !== undefined && { typ }),
        ...(requiredClaims !== undefined && { requiredClaims }),
      }),
      ...(claims && { claims: toExpectedClaims(claims) }),
      ...(clockTolerance !== undefined && { clockTolerance }),
    },
    scopes: options.scopes,
    allowInsecureHttp,
  };
}

/**
 * @param own the rules for the module's own tokens
 * @throws KmsJwtOptionsError for the first record that is wrong, or whose issuer or name is not unique; if the expected issuer of
 * the module's own tokens is a RegExp, because the `iss` of tokens that are not verified yet would be matched with it
 */
export function toIssuers(
  given: KmsJwtModuleOptions['issuers'],
  own: VerifySettings,
): KmsJwtSettings['issuers'] {
  if (given !== undefined && own.issuer?.some((one) => typeof one !== 'string')) {
    const problem =
      'must be a string or an array of strings if issuers is set: the iss selects the keys by exact match';
    throw new KmsJwtOptionsError('verifyOptions.issuer', problem);
  }
  if (!Array.isArray(given)) return given;
  const issuers = given.map((one, index) => readIssuer(`issuers[${index}]`, one, own.clockTolerance));
  const known = { issuer: new Set<unknown>(own.issuer), name: new Set<unknown>() };
  for (const [index, issuer] of issuers.entries()) {
    for (const option of ['issuer', 'name'] as const) {
      if (known[option].has(issuer[option]))
        throw new KmsJwtOptionsError(`issuers[${index}].${option}`, AMBIGUOUS);
      known[option].add(issuer[option]);
    }
  }
  return issuers;
}

function missingOption(path: string, expected: string): KmsJwtOptionsError {
  return new KmsJwtOptionsError(path, `is missing: it ${expected}`);
}

/** Whether a URL of an issuer may be fetched. */
export function isAllowedUri(uri: unknown, allowInsecureHttp: boolean): uri is string {
  if (isKeySetUri(uri)) return true;
  return allowInsecureHttp && typeof uri === 'string' && isKeySetUri(uri.replace(/^http:/, 'https:'));
}

/**
 * Whether the URL of a key set that the metadata of an issuer names may be fetched. Metadata that came over https must not lead
 * to a service on loopback.
 */
export function isAllowedJwksUri(
  uri: unknown,
  { issuer, allowInsecureHttp }: Pick<IssuerSettings, 'issuer' | 'allowInsecureHttp'>,
): uri is string {
  if (!isAllowedUri(uri, allowInsecureHttp)) return false;
  return allowInsecureHttp || isHttps(uri) || !isHttps(issuer);
}

const isHttps = (url: string) => new URL(url).protocol === 'https:';

const URL_RULE =
  'must be an https URL, or an http URL on loopback, without credentials (see allowInsecureHttp)';

type KeysContext = Pick<IssuerSettings, 'issuer' | 'algorithms' | 'allowInsecureHttp'>;

function readKeys(path: string, given: IssuerKeys, issuer: KeysContext): IssuerKeys {
  const { snapshot, ...source } = given as { snapshot?: unknown } & Record<string, unknown>;
  if (snapshot !== undefined && !('jwksUri' in source && isText(snapshot))) {
    throw new KmsJwtOptionsError(
      `${path}.keys.snapshot`,
      'must be the path of a file, and needs keys.jwksUri',
    );
  }
  const [name, ...others] = Object.keys(source);
  if (others.length > 0) throw new KmsJwtOptionsError(`${path}.keys`, ISSUER_RULES.keys[1]);
  const [value] = Object.values(source);
  if (name === 'jwksUri') {
    if (!isAllowedUri(value, issuer.allowInsecureHttp))
      throw new KmsJwtOptionsError(`${path}.keys.jwksUri`, URL_RULE);
    return { jwksUri: value, ...(isText(snapshot) && { snapshot }) };
  }
  if (name === 'discovery' && value === true) {
    if (hasMetadata(issuer)) return { discovery: true };
    const problem = `${URL_RULE}, and for discovery without a query or fragment`;
    throw new KmsJwtOptionsError(`${path}.issuer`, problem);
  }
  if (name !== 'jwks' || !isObject(value)) throw new KmsJwtOptionsError(`${path}.keys`, ISSUER_RULES.keys[1]);
  checkPublicKeys(value as { keys: object[] }, [], issuer.algorithms, `${path}.keys.jwks`);
  return { jwks: { keys: keysIn(value, issuer.algorithms).map(({ jwk }) => jwk) } };
}

/** OpenID Connect Discovery 1.0, section 3; RFC 8414, section 2. */
function hasMetadata({ issuer, allowInsecureHttp }: KeysContext): boolean {
  return isAllowedUri(issuer, allowInsecureHttp) && !/[?#]/.test(issuer);
}

function toExpectedClaims(claims: NonNullable<IssuerOptions['claims']>): VerifySettings['claims'] {
  return Object.entries(claims).map(([claim, expected]): [string, ExpectedClaim[]] => [
    claim,
    [expected].flat().map((one) => (types.isRegExp(one) ? new RegExp(one) : one)),
  ]);
}
