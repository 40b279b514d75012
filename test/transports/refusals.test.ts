import { readFile, writeFile } from 'node:fs/promises';
import { NestFactory } from '@nestjs/core';
import { type JwtClaims, KmsJwtService } from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, test } from 'vitest';
import { CASES } from './cases.js';
import { Refusals } from './refusals-document.js';
import { type Answer, answerTo, kmsJwtOver, REVOKED_ID } from './app-under-test.js';
import { FAMILIES } from './families.js';

const refusals = new Refusals(FAMILIES);

describe.each(FAMILIES)('$name', (family) => {
  describe.each(family.endpoints)('$name', (endpoint) => {
    test.each(CASES)(
      'gives the expected response for the token: $name',
      async ({ name, makeToken, kmsFault, options, refusal }) => {
        const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
        const issuer = await NestFactory.createApplicationContext(kmsJwtOver(localKms), { logger: false });
        const token = await makeToken(issuer.get(KmsJwtService));
        const app = await endpoint.start(kmsJwtOver(localKms, { ...family.options, ...options }));
        try {
          const fault = kmsFault && localKms.inject(kmsFault);
          const received = await app.call(token);
          refusals.add(family, name, received);

          if (!refusal || (family.ignoresScopes && refusal.errorCode === 'insufficient_scope')) {
            expect(received).toEqual(family.admitted(answerOf(token)));
            return;
          }
          expect(received).toEqual(family.refused(refusal));
          for (const secret of [...(token?.split('.') ?? []), 'user-42', 'openid', 'invoices', REVOKED_ID]) {
            expect(JSON.stringify(received)).not.toContain(secret);
          }
          if (!fault) return;
          fault.stop();
          await expect.poll(() => app.call(token)).toEqual(family.admitted(answerOf(token)));
        } finally {
          await Promise.all([app.close(), issuer.close()]);
        }
      },
    );
  });
});

function answerOf(token = ''): Answer {
  const payload = token.split('.')[1] ?? '';
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JwtClaims;
  return answerTo(claims, claims.sub ?? '');
}

test('docs/refusals.md shows what the clients received', async () => {
  const file = new URL('../../docs/refusals.md', import.meta.url);
  if (process.env.UPDATE_DOCS) await writeFile(file, refusals.toMarkdown());
  expect(await readFile(file, 'utf8')).toBe(refusals.toMarkdown());
});
