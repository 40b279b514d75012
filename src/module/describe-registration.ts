import { printableName } from '../errors/printable.js';
import { regionOf } from '../kms/key-arn.js';
import type { KmsJwtSettings } from '../options/settings.js';

/** What the line describes in addition to the options. */
export interface StartedRegistration {
  /** The ARN of the key that signs, if that is known. */
  readonly keyArn: string | undefined;
  /** The path of the key set over HTTP; undefined if it is not served. */
  readonly jwksPath: string | undefined;
}

/** The line of the log that says at start which key a registration uses, in which Region, and what it publishes. */
export function describeRegistration(
  settings: KmsJwtSettings,
  { keyArn, jwksPath }: StartedRegistration,
): string {
  const parts = [keysOf(settings, keyArn)];
  if (hasOwnKeys(settings)) parts.push(`issuer: ${issuerOf(settings)}`);
  if (settings.issuers) parts.push(`other issuers: ${namesOf(settings.issuers)}`);
  parts.push(`key set: ${jwksPath === undefined ? 'not served' : pathOf(jwksPath)}`);
  return parts.join('; ');
}

function hasOwnKeys({ keyId, jwksUri, jwks }: KmsJwtSettings): boolean {
  return (keyId ?? jwksUri ?? jwks) !== undefined;
}

function keysOf(settings: KmsJwtSettings, keyArn: string | undefined): string {
  const { keyId, jwksUri, jwks } = settings;
  if (keyId !== undefined) {
    const regions = regionsOf(settings, keyId, keyArn);
    return `Signing with ${printableName(keyId)}${regions && ` in ${regions}`}`;
  }
  if (jwksUri !== undefined) return `Verifying with the key set ${withoutQuery(jwksUri)}`;
  return jwks ? 'Verifying with the keys of the option jwks' : 'Verifying tokens of other issuers';
}

/** Empty if the Region is that of the environment, and KMS has not answered yet (`lazy`). */
function regionsOf({ regions, client }: KmsJwtSettings, keyId: string, keyArn = ''): string {
  if (regions.length > 0) return regions.join(', ');
  const configured = 'region' in client && typeof client.region === 'string' ? client.region : undefined;
  return printableName(regionOf(keyArn) ?? regionOf(keyId) ?? configured ?? '');
}

function issuerOf({ sign, verify }: KmsJwtSettings): string {
  const expected = sign.issuer === undefined ? verify.issuer : [sign.issuer];
  return expected?.map((one) => printableName(String(one))).join(', ') ?? 'none';
}

function namesOf(issuers: NonNullable<KmsJwtSettings['issuers']>): string {
  if (typeof issuers === 'function') return 'those that the function issuers returns';
  return issuers.map(({ name }) => printableName(name)).join(', ');
}

/** The query may contain a secret. */
function withoutQuery(uri: string): string {
  const { origin, pathname } = new URL(uri);
  return origin + pathname;
}

/** Nest's HTTP adapters serve it from the root. */
function pathOf(jwksPath: string): string {
  return `/${jwksPath.replace(/^\//, '')}`;
}
