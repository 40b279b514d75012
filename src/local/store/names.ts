import { randomBytes, randomUUID } from 'node:crypto';

/** A key id: a UUID, or `mrk-` and 32 hexadecimal digits for a Multi-Region key. */
export const KEY_ID_PATTERN =
  /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;

/** An alias name. The prefix `alias/aws/` is reserved for AWS. */
export const ALIAS_NAME_PATTERN = /^alias\/(?!aws\/)[a-zA-Z0-9/_-]{1,250}$/;

export function randomKeyId(multiRegion: boolean): string {
  return multiRegion ? `mrk-${randomBytes(16).toString('hex')}` : randomUUID();
}

export function isMultiRegion(keyId: string): boolean {
  return keyId.startsWith('mrk-');
}
