import { DescribeKeyCommand, type KeyMetadata, type KMSClient } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsKey } from 'nestjs-kms-jwt/local';

/** The id of the key that `setUp` creates. */
export const KEY_ID = '11111111-2222-4333-8444-555555555555';

/** A LocalKms with one P-256 key, whose alias is `alias/auth`. */
export function setUp(): { localKms: LocalKms; client: KMSClient; key: LocalKmsKey } {
  const localKms = new LocalKms({ keys: [{ keyId: KEY_ID, alias: 'auth' }] });
  return { localKms, client: localKms.client(), key: localKms.keys[0]! };
}

/** The answer of DescribeKey for this key. */
export async function describeKey(client: KMSClient): Promise<KeyMetadata | undefined> {
  return (await client.send(new DescribeKeyCommand({ KeyId: KEY_ID }))).KeyMetadata;
}
