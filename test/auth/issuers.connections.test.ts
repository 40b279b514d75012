import { Controller, Inject, Sse, UseGuards } from '@nestjs/common';
import { type JwtClaims, KmsJwtGuard, type KmsJwtModuleOptions, KmsJwtService } from 'nestjs-kms-jwt';
import { sign } from 'jsonwebtoken';
import { NEVER, startWith } from 'rxjs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { OWN } from '../service/issuers.support.js';
import { inAnHour, startIssuer } from '../support/issuer.js';
import { bearer, startApp } from './support.js';

@UseGuards(KmsJwtGuard)
@Controller()
class PricesController {
  constructor(@Inject(KmsJwtService) readonly jwt: KmsJwtService) {}
  @Sse('prices') prices() {
    return NEVER.pipe(startWith({ data: 'open' }));
  }
}

/** Verifies tokens by the service, and accepts those of an earlier system. */
class OwnChecksGuard extends KmsJwtGuard {
  protected override async authenticate(token: string) {
    const { header, payload } = this.jwt.decode(token, { complete: true });
    return header.alg === 'HS256' ? payload : this.jwt.verify(token);
  }
}

@UseGuards(OwnChecksGuard)
@Controller()
class OwnChecksController {
  @Sse('own-checks') prices() {
    return NEVER.pipe(startWith({ data: 'open' }));
  }
}

/** Key sets are fetched every second. */
const ROTATION = { refreshInterval: 1, maxStale: 4 } as const;

async function start(options: Partial<KmsJwtModuleOptions>) {
  const app = await startApp({
    controllers: [PricesController, OwnChecksController],
    options: { signOptions: { issuer: OWN }, limits: { timeout: 500 }, ...options },
  });
  /** Opens a stream, and says whether it is still open. */
  const open = async (token: string, path = '/prices') => {
    const state = { isOpen: true };
    const response = await app.get(path, bearer(token));
    expect(response.status).toBe(200);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    // The app cannot close before its streams have.
    onTestFinished(() => reader.cancel().catch(() => {}));
    const read = async (): Promise<void> => ((await reader.read()).done ? undefined : read());
    void read()
      .catch(() => {})
      .finally(() => (state.isOpen = false));
    return state;
  };
  return { ...app, open };
}

test('a stream ends when its issuer replaces the key; one with the same kid of another issuer stays open', async () => {
  const [corp, partner] = [await startIssuer(), await startIssuer()];
  const { open, jwt } = await start({
    issuers: [corp.record({ name: 'corp' }), partner.record({ name: 'partner' })],
    rotation: ROTATION,
  });
  const ofCorp = await open(corp.token());
  const ofPartner = await open(partner.token());
  const ofOwn = await open(await jwt.sign({}));
  corp.add('a');
  await expect.poll(() => ofCorp.isOpen, { timeout: 10_000 }).toBe(false);
  expect([ofPartner.isOpen, ofOwn.isOpen]).toEqual([true, true]);
});

test('a stream ends when the keys of its issuer are too old; those of other issuers stay open', async () => {
  const [corp, partner] = [await startIssuer(), await startIssuer()];
  const { open, jwt } = await start({
    issuers: [corp.record(), partner.record()],
    rotation: ROTATION,
  });
  const ofCorp = await open(corp.token());
  const ofPartner = await open(partner.token());
  const ofOwn = await open(await jwt.sign({}));
  corp.fault = (_, response) => void response.writeHead(500).end();
  await expect.poll(() => ofCorp.isOpen, { timeout: 15_000 }).toBe(false);
  expect([ofPartner.isOpen, ofOwn.isOpen]).toEqual([true, true]);
  await expect(jwt.verify(corp.token())).rejects.toMatchObject({ name: 'JwksUnavailableError' });
});

test('a stream ends at the exp of its token, even if verifyOptions ignores that of own tokens', async () => {
  const corp = await startIssuer();
  const verifyOptions = { issuer: OWN, ignoreExpiration: true };
  const { open } = await start({ issuers: [corp.record()], verifyOptions });
  const soon = await open(corp.token({ exp: Math.floor(Date.now() / 1000) + 2 }));
  const later = await open(corp.token({ exp: inAnHour() }));
  await expect.poll(() => soon.isOpen, { timeout: 5000 }).toBe(false);
  expect(later.isOpen).toBe(true);
});

test('a stream ends when isRevoked revokes its token by iss and jti', async () => {
  const [corp, partner] = [await startIssuer(), await startIssuer()];
  const revoked = new Set<string>();
  const { open } = await start({
    issuers: [corp.record(), partner.record()],
    isRevoked: async ({ iss, jti }) => revoked.has(`${iss} ${jti}`),
    guard: { recheckInterval: 1 },
  });
  const ofCorp = await open(corp.token({ jti: '1' }));
  const ofPartner = await open(partner.token({ jti: '1' }));
  revoked.add(`${corp.url} 1`);
  await expect.poll(() => ofCorp.isOpen, { timeout: 5000 }).toBe(false);
  expect(ofPartner.isOpen).toBe(true);
});

test('a stream ends when the function no longer returns its issuer; those of other issuers stay open', async () => {
  const [gone, kept] = [await startIssuer(), await startIssuer()];
  const records = new Map([gone, kept].map((issuer) => [issuer.url, issuer.record()]));
  const { open, jwt } = await start({ issuers: async (iss) => records.get(iss), rotation: ROTATION });
  const ofGone = await open(gone.token());
  const ofKept = await open(kept.token());
  records.delete(gone.url);
  // Each token makes the library ask the function again.
  const isOpen = async () => {
    await jwt.verify(gone.token()).catch(() => {});
    await jwt.verify(kept.token());
    return ofGone.isOpen;
  };
  await expect.poll(isOpen, { timeout: 10_000 }).toBe(false);
  expect(ofKept.isOpen).toBe(true);
});

describe('a stream whose token an overridden authenticate has verified by the service', () => {
  test('ends when the token is revoked', async () => {
    const revoked = new Set<unknown>();
    const isRevoked = async ({ jti }: JwtClaims) => revoked.has(jti);
    const corp = await startIssuer();
    const { open, jwt } = await start({ issuers: [corp.record()], isRevoked, guard: { recheckInterval: 1 } });
    const own = await open(await jwt.sign({ jti: 'own' }), '/own-checks');
    const ofCorp = await open(corp.token({ jti: 'corp' }), '/own-checks');
    const other = await open(corp.token({ jti: 'other' }), '/own-checks');
    revoked.add('own').add('corp');
    await expect.poll(() => [own.isOpen, ofCorp.isOpen], { timeout: 5000 }).toEqual([false, false]);
    expect(other.isOpen).toBe(true);
  });

  test('ends when the token is revoked, without other issuers', async () => {
    let revoked = false;
    const { open, jwt } = await start({ isRevoked: async () => revoked, guard: { recheckInterval: 1 } });
    const own = await open(await jwt.sign({}), '/own-checks');
    revoked = true;
    await expect.poll(() => own.isOpen, { timeout: 5000 }).toBe(false);
  });

  test('ends at the maxAge of the module, which the record of its issuer does not have', async () => {
    const corp = await startIssuer();
    const { open } = await start({ issuers: [corp.record()], verifyOptions: { issuer: OWN, maxAge: '1m' } });
    const now = Math.floor(Date.now() / 1000);
    const claims = { iat: now - 58, exp: now + 600 };
    const checkedByApp = await open(corp.token(claims), '/own-checks');
    const checkedByGuard = await open(corp.token(claims));
    await expect.poll(() => checkedByApp.isOpen, { timeout: 5000 }).toBe(false);
    expect(checkedByGuard.isOpen).toBe(true);
  });

  test('ends when its issuer replaces the key', async () => {
    const corp = await startIssuer();
    const { open } = await start({ issuers: [corp.record()], rotation: ROTATION });
    const ofCorp = await open(corp.token(), '/own-checks');
    corp.add('a');
    await expect.poll(() => ofCorp.isOpen, { timeout: 10_000 }).toBe(false);
  });
});

test.each([
  ['with other issuers', true],
  ['without other issuers', false],
])('a stream stays open at a recheck if only the app can verify its token, %s', async (_, hasIssuers) => {
  const corp = await startIssuer();
  let rechecks = 0;
  const { open, jwt } = await start({
    ...(hasIssuers && { issuers: [corp.record()] }),
    isRevoked: async () => (rechecks += 1) < 0,
    guard: { recheckInterval: 1 },
  });
  const old = await open(
    sign({ sub: 'user-42', iss: corp.url }, 'a shared secret of 256 bits or more'),
    '/own-checks',
  );
  await open(await jwt.sign({}));
  await expect.poll(() => rechecks, { timeout: 5000 }).toBeGreaterThan(2);
  expect(old.isOpen).toBe(true);
});
