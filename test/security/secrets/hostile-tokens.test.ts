import { type JsonWebKey, TokenError } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { kmsJwtOver } from '../../transports/app-under-test.js';
import { FAMILIES } from '../../transports/families.js';
import { hostile } from '../corpus.js';
import { type OverheardApp, startOverheardApp } from './app.js';
import { Eavesdropper } from './eavesdropper.js';
import { Secrets } from './secrets.js';
import { AUDIENCE, type Case, ISSUER, jwksOf, type Keys, newKeys, optionsOf, signed } from '../support.js';
import { newClaims, withoutExpected } from './support.js';

const FITS_IN_HEADER = /^[\x21-\x7e]{1,8000}$/;
/** In characters: JSON may spell each with six. */
const LONGEST_IN_BODY = 2 * 1024 * 1024;

/** Verifies it, takes it apart, and calls the app with it if a request can carry it. */
async function send(app: OverheardApp, one: Case, keys: Keys, secrets: Secrets) {
  const token = one.make(keys) as string;
  const verify = optionsOf(one, keys);
  if (typeof token === 'string') secrets.addToken(one.name, token);

  expect(await app.thrownBy(() => app.jwt.verify(token, verify)), one.name).toBeInstanceOf(TokenError);
  await app.thrownBy(() => app.jwt.decode(token));
  if (typeof token !== 'string') return;
  const place = FITS_IN_HEADER.test(token) ? 'header' : 'body';
  if (token.length <= LONGEST_IN_BODY)
    expect(await app.call(token, { in: place, verify }), one.name).toBe(401);
}

describe('a hostile token', () => {
  test.each(Object.entries(hostile))('with %s', async (_, cases) => {
    const claims = withoutExpected(newClaims());
    const keys: Keys = { ...newKeys(), claims };
    const secrets = new Secrets().addToken('a good token', signed(keys));
    const app = await startOverheardApp({
      rotation: { verificationKeys: jwksOf(keys).keys as JsonWebKey[] },
    });

    for (const one of cases) await send(app, one, keys, secrets);
    expect(secrets.foundIn(app.eavesdropper.heard)).toEqual([]);
  });
});

describe('a hostile token on each transport', () => {
  const cases = Object.values(hostile).flatMap((group) => group.filter(({ options }) => !options));
  const sample = cases.filter((_, index) => index % 20 === 0);

  test.each(FAMILIES)('of $name', async ({ endpoints, options }) => {
    const keys: Keys = { ...newKeys(), claims: withoutExpected(newClaims()) };
    const secrets = new Secrets().addToken('a good token', signed(keys));
    const eavesdropper = new Eavesdropper();
    const endpoint = await endpoints[0]?.start(
      kmsJwtOver(new LocalKms({ keys: [{ alias: 'auth' }] }), {
        ...options,
        rotation: { verificationKeys: jwksOf(keys).keys as JsonWebKey[] },
        verifyOptions: { issuer: ISSUER, audience: AUDIENCE },
      }),
    );
    onTestFinished(async () => void (await endpoint?.close()));

    for (const one of sample) {
      const token = one.make(keys);
      if (typeof token !== 'string' || !FITS_IN_HEADER.test(token)) continue;
      secrets.addToken(one.name, token);
      eavesdropper.hear(await endpoint?.call(token));
    }
    expect(eavesdropper.heard.size).toBeGreaterThan(1);
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([]);
  });
});
