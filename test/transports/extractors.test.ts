import { NestFactory } from '@nestjs/core';
import { KmsJwtService, type TokenExtractor } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { ExtractJwt } from 'passport-jwt';
import { describe, expect, test } from 'vitest';
import type { Refusal } from './cases.js';
import { answerTo, kmsJwtOver, SCOPE } from './app-under-test.js';
import { FAMILIES } from './families.js';
import { watchRejections } from './rejections.js';
import { tcp } from './tcp.js';

const CLAIMS = { sub: 'user-42', aud: 'orders', scope: SCOPE };

const missing: Refusal = {
  statusCode: 401,
  message: 'The request carries no bearer token',
  errorCode: 'token_missing',
  challenge: 'Bearer',
};
const malformed: Refusal = {
  statusCode: 401,
  message: expect.any(String) as string,
  errorCode: 'token_malformed',
  challenge: expect.stringContaining('invalid_token') as string,
};

const EXTRACTORS: [name: string, extract: TokenExtractor, inHeader: Refusal | 'admitted'][] = [
  ['fromAuthHeaderAsBearerToken', ExtractJwt.fromAuthHeaderAsBearerToken(), 'admitted'],
  // It returns the whole header, including the word Bearer.
  ['fromHeader', ExtractJwt.fromHeader('authorization'), malformed],
  ['fromUrlQueryParameter', ExtractJwt.fromUrlQueryParameter('access_token'), missing],
  ['fromBodyField', ExtractJwt.fromBodyField('authorization'), missing],
];

describe.each(FAMILIES)('$name', (family) => {
  const endpoints = family.endpoints.filter(({ name }) => !name.includes('cookie'));

  describe.each(endpoints)('$name', (endpoint) => {
    test.each(EXTRACTORS)(
      '%s of passport-jwt finds the token or none, and never throws',
      async (_, tokenFrom, inHeader) => {
        const rejections = watchRejections();
        const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
        const issuer = await NestFactory.createApplicationContext(kmsJwtOver(localKms), { logger: false });
        const app = await endpoint.start(kmsJwtOver(localKms, { guard: { tokenFrom } }));
        try {
          // TCP messages have no headers.
          const expected = family === tcp ? missing : inHeader;
          expect(await app.call(await issuer.get(KmsJwtService).sign(CLAIMS))).toEqual(
            expected === 'admitted'
              ? family.admitted(answerTo(CLAIMS, CLAIMS.sub))
              : family.refused(expected),
          );
          expect(await app.call()).toEqual(family.refused(missing));
          expect(rejections).toEqual([]);
        } finally {
          await Promise.all([app.close(), issuer.close()]);
        }
      },
    );
  });
});
