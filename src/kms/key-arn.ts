// How AWS names keys. This module does not load the AWS SDK, so that the modules outside kms/ can import it.

/** `arn:<partition>:kms:<region>:…`, of a key or an alias. */
const ARN = /^(arn:[^:]+:kms:)([^:]+)(?=:)/;
const ALIAS = /^(arn:[^:]+:kms:[^:]*:[^:]*:)?alias\//;

/** The last part of a key ARN: a UUID, or `mrk-…` for a Multi-Region key. A bare key id is returned unchanged. */
export function keyIdOf(keyArn: string): string {
  return keyArn.slice(keyArn.lastIndexOf('/') + 1);
}

/** Whether this is an alias name or an alias ARN. Only an alias can be moved to another key. */
export function isAlias(keyId: string): boolean {
  return ALIAS.test(keyId);
}

/** The Region in a key ARN or alias ARN; undefined for a key id or an alias name, which name no Region. */
export function regionOf(keyId: string): string | undefined {
  return ARN.exec(keyId)?.[2];
}

/** The same key or alias in another Region. A key id or an alias name, valid in every Region, is returned unchanged. */
export function inRegion(keyId: string, region: string): string {
  return keyId.replace(ARN, `$1${region}`);
}

/**
 * Whether two ARNs name the same key. Some emulators return the bare key id instead of the ARN, and the replicas of a
 * Multi-Region key share only their key id: in both cases the key ids are compared.
 */
export function isSameKey(one: string, other: string): boolean {
  const areArns = one.startsWith('arn:') && other.startsWith('arn:');
  const isMultiRegion = keyIdOf(one).startsWith('mrk-');
  return areArns && !isMultiRegion ? one === other : keyIdOf(one) === keyIdOf(other);
}

/**
 * Whether two key ARNs are of the same account and Region. The Region of a Multi-Region key does not count, and a bare key
 * id, as some emulators return, may be of any.
 */
export function isSameOwner(one: string, other: string): boolean {
  const [a, b] = [ownerOf(one), ownerOf(other)];
  if (!a || !b) return true;
  const isMultiRegion = [one, other].some((arn) => keyIdOf(arn).startsWith('mrk-'));
  return a.account === b.account && (isMultiRegion || a.region === b.region);
}

function ownerOf(keyArn: string): { account: string; region: string } | undefined {
  const [, partition, region, account] = /^arn:([^:]+):kms:([^:]*):([^:]*):/.exec(keyArn) ?? [];
  if (partition === undefined || region === undefined || account === undefined) return undefined;
  return { account: `${partition}:${account}`, region };
}
