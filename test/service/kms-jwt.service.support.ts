import { Test, type TestingModule } from '@nestjs/testing';
import { KmsJwtModule, type KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';

/** The service under test and its KMS, both new for each test. */
export let jwt: KmsJwtService;
export let localKms: LocalKms;
let module: TestingModule | undefined;

export async function setUp(): Promise<void> {
  localKms = new LocalKms({ keys: [{ alias: 'auth' }, { alias: 'other' }] });
  await restart();
}

/** Closes the service, and starts another one with other options and the same KMS. */
export async function restart(options: Partial<KmsJwtModuleOptions> = {}): Promise<void> {
  await close();
  module = await Test.createTestingModule({
    imports: [
      KmsJwtModule.forRoot({ keyId: 'alias/auth', client: localKms.client({ maxAttempts: 1 }), ...options }),
    ],
  }).compile();
  await module.init();
  jwt = module.get(KmsJwtService);
}

export async function close(): Promise<void> {
  await module?.close();
  module = undefined;
}

export const keyArn = () => localKms.keys[0]?.arn ?? '';
export const keyId = () => localKms.keys[0]?.keyId ?? '';
export const headerOf = () => ({ alg: 'ES256', typ: 'JWT', kid: keyId() });
export const partsOf = (token: string) => token.split('.') as [string, string, string];
export const json = (text: string) =>
  JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;
