import { type JsonWebKey, TokenError } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { kmsJwtOver } from '../../transports/app-under-test.js';
import { FAMILIES } from '../../transports/families.js';
import { hostile } from '../corpus.js';
import { type RecordedApp, startRecordedApp } from './app.js';
import { OutputRecorder } from './output-recorder.js';
import { Secrets } from './secrets.js';
import { AUDIENCE, type Case, ISSUER, jwksOf, type Keys, newKeys, optionsOf, signed } from '../support.js';
import { newClaims, withoutExpected } from './support.js';

const FITS_IN_HEADER = /^[\x21-\x7e]{1,8000}$/;
/** In characters: JSON may escape each with six. */
const LONGEST_IN_BODY = 2 * 1024 * 1024;

/** Verifies and decodes the token, and calls the app with it if a request can carry it. */
async function send(app: RecordedApp, one: Case, keys: Keys, secrets: Secrets) {
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

describe('no secret is logged or sent for a hostile token', () => {
  test.each(Object.entries(hostile))('with %s', async (_, cases) => {
    const claims = withoutExpected(newClaims());
    const keys: Keys = { ...newKeys(), claims };
    const secrets = new Secrets().addToken('a valid token', signed(keys));
    const app = await startRecordedApp({
      rotation: { verificationKeys: jwksOf(keys).keys as JsonWebKey[] },
    });

    for (const one of cases) await send(app, one, keys, secrets);
    expect(secrets.foundIn(app.recorder.recorded)).toEqual([]);
  });
});

describe('no secret is sent for a hostile token over', () => {
  const cases = Object.values(hostile).flatMap((group) => group.filter(({ options }) => !options));
  const sample = cases.filter((_, index) => index % 20 === 0);

  test.each(FAMILIES)('$name', async ({ endpoints, options }) => {
    const keys: Keys = { ...newKeys(), claims: withoutExpected(newClaims()) };
    const secrets = new Secrets().addToken('a valid token', signed(keys));
    const recorder = new OutputRecorder();
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
      recorder.record(await endpoint?.call(token));
    }
    expect(recorder.recorded.size).toBeGreaterThan(1);
    expect(secrets.foundIn(recorder.recorded)).toEqual([]);
  });
});
