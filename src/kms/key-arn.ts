/** The last part of a key's ARN: a uuid, or `mrk-…` for a Multi-Region key. A bare key id is its own. */
export function keyIdOf(keyArn: string): string {
  return keyArn.slice(keyArn.lastIndexOf('/') + 1);
}

/** Whether a key is named by what can come to mean another key. */
export function isAlias(keyId: string): boolean {
  return /^(arn:[^:]+:kms:[^:]*:[^:]*:)?alias\//.test(keyId);
}
