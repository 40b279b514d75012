import { type SignOptions } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import { newCanary } from './secrets.js';
import { setUp } from './support.js';

test('invalid payloads and options of sign are neither logged nor quoted in errors', async () => {
  const { jwt, secrets, login, thrownBy, recorder } = await setUp({ messageType: 'RAW' });
  const secret = newCanary();
  secrets.add('the secret', secret);
  const throwing = () => {
    throw new Error(secret);
  };
  const circle: Record<string, unknown> = { secret };
  circle['circle'] = circle;

  const payloads: unknown[] = [
    ...['exp', 'nbf', 'iat'].map((claim) => ({ [claim]: secret })),
    ...['iss', 'sub', 'aud', 'jti'].map((claim) => ({ [claim]: { secret } })),
    { aud: [secret, 1] },
    { filling: 'x'.repeat(4096), secret },
    { secret: new Map([[secret, secret]]) },
    { secret: [secret, new Date()] },
    { secret, size: 1n },
    { secret, toJSON: () => secret },
    { secret: { toJSON: throwing } },
    Object.defineProperty({}, 'secret', { enumerable: true, get: throwing }),
    circle,
    [secret],
    secret,
    Buffer.from(secret),
    new Error(secret),
  ];
  for (const payload of payloads) {
    expect(await thrownBy(() => jwt.sign(payload as object))).toMatchObject({ code: 'options_invalid' });
  }
  for (const payload of payloads.slice(0, 9)) expect(await login(payload as object)).toBe(500);

  const signOptions: unknown[] = [
    { expiresIn: secret },
    { notBefore: `${secret}m` },
    ...['subject', 'issuer', 'jwtid'].map((option) => ({ [option]: [secret] })),
    { subject: secret },
    { audience: [secret, ''] },
    { header: { kid: secret } },
    { header: { secret: throwing } },
    { header: secret },
    { signal: secret },
    secret,
  ];
  for (const options of signOptions) {
    expect(await thrownBy(() => jwt.sign({ sub: secret }, options as SignOptions))).toMatchObject({
      code: 'options_invalid',
    });
  }
  expect(secrets.foundIn(recorder.recorded)).toEqual([]);
});

test('an error of a ring store that quotes the ring leaks no token', async () => {
  const { jwt, kms, claims, secrets, recorder } = await setUp({
    rotation: {
      store: {
        load: async () => undefined,
        save: async (ring) => {
          throw new Error(JSON.stringify(ring));
        },
      },
    },
  });
  jwt.events.subscribe((event) => recorder.record(event));
  await jwt.sign(claims);
  kms.localKms.inject({ kind: 'error', name: 'DisabledException', operation: 'Sign' });
  await expect(jwt.sign(claims)).rejects.toThrow();
  await expect.poll(() => [...recorder.recorded].join()).toContain('ring store failed');
  expect(secrets.foundIn(recorder.recorded)).toEqual([]);
});
