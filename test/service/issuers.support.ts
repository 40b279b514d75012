import { Test } from '@nestjs/testing';
import { type KmsJwtEvent, KmsJwtModule, type KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { onTestFinished } from 'vitest';

/** The `iss` of own tokens. */
export const OWN = 'https://api.example.com';

/** A service with a key in KMS and the issuer `OWN`, until the end of the test. */
export function startService(options: Partial<KmsJwtModuleOptions>) {
  const client = new LocalKms({ keys: [{ alias: 'auth' }] }).client({ maxAttempts: 1 });
  const signOptions = { issuer: OWN, audience: 'orders' };
  return start({ keyId: 'alias/auth', client, signOptions, limits: { timeout: 500 }, ...options });
}

/** A service without own keys. */
export async function start(options: KmsJwtModuleOptions) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const module = await Test.createTestingModule({ imports: [KmsJwtModule.forRoot(options)] })
    .setLogger({ log: write, warn: write, error: write })
    .compile();
  onTestFinished(() => module.close());
  const jwt = module.get(KmsJwtService);
  const events: KmsJwtEvent[] = [];
  jwt.events.subscribe((event) => events.push(event));
  await module.init();
  return { jwt, events, lines, stop: () => module.close() };
}

/** The error with which a promise rejects. */
export const errorOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: Error) => error,
  );

export const mismatch = (claim: string) => ({ name: 'TokenClaimError', claim, reason: 'mismatch' });
