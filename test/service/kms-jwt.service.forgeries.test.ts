import { createPublicKey, createHash, createHmac } from 'node:crypto';
import { TokenError } from 'nestjs-kms-jwt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { forge, newKeyPair, part } from '../support/forge.js';
import { close, headerOf, jwt, keyArn, keyId, localKms, setUp } from './kms-jwt.service.support.js';

beforeEach(() => setUp());
afterEach(() => close());

const hmac = (input: string, secret: string | Buffer) =>
  `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;

describe('a token that the key did not sign is refused:', () => {
  const stranger = newKeyPair().privateKey;

  test.each<[string, string, () => string | Promise<string>]>([
    ['another key', 'TokenSignatureError', () => forge(headerOf(), { sub: 'admin' }, stranger)],
    ['another kid', 'TokenKeyUnknownError', () => forge({ ...headerOf(), kid: 'other' }, {}, stranger)],
    ['no kid', 'TokenKeyUnknownError', () => forge({ alg: 'ES256' }, {}, stranger)],
    [
      'a kid that is an object',
      'TokenKeyUnknownError',
      () => forge({ alg: 'ES256', kid: { toString: 'x' } }, {}, stranger),
    ],
    [
      'a kid of the prototype',
      'TokenKeyUnknownError',
      () => forge({ alg: 'ES256', kid: '__proto__' }, {}, stranger),
    ],
    ['alg none', 'TokenSignatureError', () => `${part({ ...headerOf(), alg: 'none' })}.${part({})}.`],
    [
      'alg None, with a signature',
      'TokenSignatureError',
      () => forge({ ...headerOf(), alg: 'None' }, {}, stranger),
    ],
    ['no alg', 'TokenSignatureError', () => forge({ kid: keyId() }, {}, stranger)],
    [
      'HS256 keyed with the public key',
      'TokenSignatureError',
      async () => {
        const { keys } = await jwt.jwks();
        const pem = createPublicKey({ key: keys[0] as never, format: 'jwk' }).export({
          type: 'spki',
          format: 'pem',
        });
        return hmac(`${part({ ...headerOf(), alg: 'HS256' })}.${part({})}`, pem);
      },
    ],
    [
      'a key in its own header',
      'TokenSignatureError',
      () => forge({ ...headerOf(), jwk: newKeyPair().publicKey.export({ format: 'jwk' }) }, {}, stranger),
    ],
    ['no signature', 'TokenSignatureError', () => `${part(headerOf())}.${part({})}.`],
    ['crit', 'TokenMalformedError', () => forge({ ...headerOf(), crit: ['exp'] }, {}, stranger)],
    ['an empty crit', 'TokenMalformedError', () => forge({ ...headerOf(), crit: [] }, {}, stranger)],
    ['b64', 'TokenMalformedError', () => forge({ ...headerOf(), b64: false }, {}, stranger)],
    ['a typ that is a number', 'TokenMalformedError', () => forge({ ...headerOf(), typ: 1 }, {}, stranger)],
    ['garbage', 'TokenMalformedError', () => 'not.a.token'],
    ['more characters than maxTokenLength', 'TokenMalformedError', () => '.'.repeat(1_048_576)],
  ])('%s', async (_, name, token) => {
    await expect(jwt.verify(await token())).rejects.toMatchObject({ name });
  });

  test('any changed character', async () => {
    const token = await jwt.sign({ sub: 'user-42' });
    for (let at = 0; at < token.length; at += 1) {
      const changed = token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);
      await expect(jwt.verify(changed)).rejects.toBeInstanceOf(TokenError);
    }
  });
});

describe('a claim of the wrong type in a signed token is refused:', () => {
  test.each<[string, string]>([
    ['exp', '"9999999999"'],
    ['exp', '1e400'],
    ['exp', 'null'],
    ['nbf', '{}'],
    ['iat', '"now"'],
    ['aud', '["a",1]'],
    ['iss', '["a"]'],
    ['sub', '42'],
  ])('%s: %s', async (claim, value) => {
    const { SignCommand } = await import('@aws-sdk/client-kms');
    const input = `${part({ alg: 'ES256', typ: 'JWT', kid: keyId() })}.${part(`{"${claim}":${value}}`)}`;
    const { Signature } = await localKms.client().send(
      new SignCommand({
        KeyId: keyArn(),
        MessageType: 'DIGEST',
        Message: createHash('sha256').update(input).digest(),
        SigningAlgorithm: 'ECDSA_SHA_256',
      }),
    );
    const { derToJose } = await import('ecdsa-sig-formatter');
    const token = `${input}.${derToJose(Buffer.from(Signature as Uint8Array), 'ES256')}`;
    await expect(jwt.verify(token)).rejects.toMatchObject({ name: 'TokenClaimError', claim });
  });
});
