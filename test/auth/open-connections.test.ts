import { expect, test } from 'vitest';
import { TokenExpiredError } from '../../src/errors/errors.js';
import { renewWatch, watchCall, watchConnection } from '../../src/auth/open-connections.js';
import type { Verified } from '../../src/auth/verified-token.js';

test('a renewal that fails for one gateway keeps the watch of the old token, and adds none of the new one', () => {
  const watched = new Set<string>();
  const accepted = {
    expiryOf: () => Infinity,
    watch({ token }: Verified, options?: { maxAge?: number }) {
      if (options?.maxAge === 1) throw new TokenExpiredError(new Date());
      watched.add(token);
      return () => watched.delete(token);
    },
  };
  const verified = (token: string) =>
    ({ token, claims: {}, jwt: { accepted }, registration: 'default' }) as unknown as Verified;
  const connection = { key: {}, hasCalls: true, isClosed: false, end() {}, onClosed() {} };

  watchConnection(connection, verified('old'), undefined);
  const renew = () => renewWatch(connection, verified('new'), [undefined, { maxAge: 1 }], () => {});
  expect(renew).toThrow(TokenExpiredError);
  expect([...watched]).toEqual(['old']);
});

test('equal subscriptions are watched once, and weaker ones are not watched after one that asks KMS', () => {
  const watched: unknown[] = [];
  const accepted = {
    expiryOf: () => Infinity,
    watch: (_: Verified, options?: object) => {
      watched.push(options);
      return () => {};
    },
  };
  const verified = {
    token: 'a',
    claims: {},
    jwt: { accepted },
    registration: 'default',
  } as unknown as Verified;
  const connection = {
    key: {},
    hasCalls: true,
    callGoesOn: true,
    isClosed: false,
    end() {},
    onClosed() {},
  };
  const [local, kms] = [{ verification: 'local' }, { verification: 'kms' }] as const;
  for (const options of [local, local, undefined, undefined, kms, kms, undefined, local]) {
    watchCall(connection, verified, { options, handshakeToken: () => 'a' });
  }
  expect(watched).toEqual([local, undefined, kms]);
});
