import { TokenError } from 'nestjs-kms-jwt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { forge, newKeyPair, part } from '../support/forge.js';
import { close, headerOf, jwt, partsOf, setUp } from './kms-jwt.service.support.js';

beforeEach(() => setUp());
afterEach(() => close());

/** A token in the cache. */
async function knownToken(): Promise<string> {
  const token = await jwt.sign({ sub: 'user-42' });
  await jwt.verify(token);
  return token;
}

const refusal = (token: string) =>
  jwt.verify(token).then(
    () => 'accepted',
    (error: unknown) => error,
  );

describe('the cache does not accept a forged token', () => {
  const forgeries: [string, (token: string) => string | Promise<string>][] = [
    ['with another signature', (token) => `${token.slice(0, -86)}${'A'.repeat(86)}`],
    ['with one flipped bit in its signature', (token) => withOtherBit(token, -20)],
    ['with the signature of another token', async (token) => replaced(token, 2, await jwt.sign({ n: 1 }))],
    ['with other claims', (token) => replaced(token, 1, `.${part({ sub: 'root' })}.`)],
    ['with another header', (token) => replaced(token, 0, `${part({ ...headerOf(), typ: 'jwt' })}..`)],
    ['with alg none', (token) => replaced(token, 0, `${part({ ...headerOf(), alg: 'none' })}..`)],
    ['with alg none, without a signature', (token) => `${part({ alg: 'none' })}.${partsOf(token)[1]}.`],
    ['signed by another key', () => forge(headerOf(), { sub: 'user-42' }, newKeyPair().privateKey)],
    ['with a further character', (token) => `${token}A`],
    ['with a further part', (token) => `${token}.`],
    ['without its last character', (token) => token.slice(0, -1)],
    ['with padding', (token) => `${token}==`],
    ['with leading white space', (token) => ` ${token}`],
    ['with a trailing line break', (token) => `${token}\n`],
    ['with a trailing NUL', (token) => `${token}\0`],
    ['in lower case', (token) => token.toLowerCase()],
    ['in 16-bit characters with the same low bytes', (token) => withHighBytes(token)],
  ];
  test.each(forgeries)('%s', async (_, make) => {
    const token = await knownToken();
    const forged = await make(token);
    expect(forged).not.toBe(token);
    for (let time = 0; time < 2; time += 1) expect(await refusal(forged)).toBeInstanceOf(TokenError);
    expect(await refusal(token)).toBe('accepted');
  });

  test.each([
    ['in a String object', (token: string) => Object(token) as unknown],
    ['in an array', (token: string) => [token]],
    ['in a Buffer', (token: string) => Buffer.from(token)],
    [
      'in an object that converts to it',
      (token: string) => ({ toString: () => token, length: token.length }),
    ],
  ])('%s', async (_, wrap) => {
    const token = await knownToken();
    expect(await refusal(wrap(token) as string)).toMatchObject({ name: 'TokenMalformedError' });
  });
});

const replaced = (token: string, index: number, from: string) =>
  token
    .split('.')
    .map((text, at) => (at === index ? (from.split('.')[at] ?? '') : text))
    .join('.');

function withOtherBit(token: string, at: number): string {
  const other = token.at(at) === 'A' ? 'B' : 'A';
  return token.slice(0, at) + other + token.slice(token.length + at + 1);
}

const withHighBytes = (token: string) =>
  String.fromCharCode(...Array.from(token, (character) => character.charCodeAt(0) | 0x100));
