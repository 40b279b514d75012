import { TokenError } from 'nestjs-kms-jwt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { forge, newKeyPair, part } from '../support/forge.js';
import { close, headerOf, jwt, partsOf, setUp } from './kms-jwt.service.support.js';

beforeEach(() => setUp());
afterEach(() => close());

/** A token that the cache has. */
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

describe('a forged token is not taken for one that is known', () => {
  const forgeries: [string, (token: string) => string | Promise<string>][] = [
    ['with another signature', (token) => `${token.slice(0, -86)}${'A'.repeat(86)}`],
    ['with one other bit in its signature', (token) => withOtherBit(token, -20)],
    ['with the signature of another token', async (token) => replaced(token, 2, await jwt.sign({ n: 1 }))],
    ['with other claims', (token) => replaced(token, 1, `.${part({ sub: 'root' })}.`)],
    ['with another header', (token) => replaced(token, 0, `${part({ ...headerOf(), typ: 'jwt' })}..`)],
    ['with alg none', (token) => replaced(token, 0, `${part({ ...headerOf(), alg: 'none' })}..`)],
    ['with alg none, without a signature', (token) => `${part({ alg: 'none' })}.${partsOf(token)[1]}.`],
    ['signed by another key', () => forge(headerOf(), { sub: 'user-42' }, newKeyPair().privateKey)],
    ['that goes on', (token) => `${token}A`],
    ['that goes on with a part', (token) => `${token}.`],
    ['that ends early', (token) => token.slice(0, -1)],
    ['with padding', (token) => `${token}==`],
    ['with white space before it', (token) => ` ${token}`],
    ['with a line break behind it', (token) => `${token}\n`],
    ['with a NUL behind it', (token) => `${token}\0`],
    ['in other letters', (token) => token.toLowerCase()],
    ['in characters of 16 bits with the same low bytes', (token) => withHighBytes(token)],
  ];
  test.each(forgeries)('%s', async (_, make) => {
    const token = await knownToken();
    const forged = await make(token);
    expect(forged).not.toBe(token);
    for (let time = 0; time < 2; time += 1) expect(await refusal(forged)).toBeInstanceOf(TokenError);
    expect(await refusal(token)).toBe('accepted');
  });

  test.each([
    ['a String object', (token: string) => Object(token) as unknown],
    ['an array', (token: string) => [token]],
    ['a Buffer', (token: string) => Buffer.from(token)],
    ['an object that converts to it', (token: string) => ({ toString: () => token, length: token.length })],
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
