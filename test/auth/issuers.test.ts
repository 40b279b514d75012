import { Controller, type ExecutionContext, Get, type Type } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import {
  Claims,
  type IssuerOptions,
  Issuers,
  type JwtClaims,
  KmsJwtGuard,
  type KmsJwtModuleOptions,
  OptionalAuth,
  Scopes,
  TokenIssuer,
} from 'nestjs-kms-jwt';
import { sign } from 'jsonwebtoken';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { OWN } from '../service/issuers.support.js';
import { startIssuer, type TestIssuer } from '../support/issuer.js';
import { bearer, startApp } from './support.js';

@Controller()
class RoutesController {
  @Get('any') any(@TokenIssuer() issuer: string, @Claims() claims: JwtClaims) {
    expectTypeOf(claims.iss).toEqualTypeOf<string | undefined>();
    return { issuer, iss: claims.iss };
  }
  @OptionalAuth() @Get('optional') optional(@TokenIssuer() issuer?: string) {
    return { issuer: issuer ?? null };
  }
  @Scopes('orders:read') @Get('scoped') scoped() {
    return {};
  }
}

@Controller()
class RestrictedController {
  @Issuers('corp') @Get('payroll') payroll(@TokenIssuer() issuer: string) {
    return { issuer };
  }
  @Issuers('own', 'partner') @Get('orders') orders(@TokenIssuer() issuer: string) {
    return { issuer };
  }
}

@Issuers('corp')
@Controller('corp')
class CorpController {
  @Get() corp(@TokenIssuer() issuer: string) {
    return { issuer };
  }
}

async function startWith(
  options: Partial<KmsJwtModuleOptions>,
  guard: Type = KmsJwtGuard,
  controllers: Type[] = [RoutesController],
) {
  const lines: string[] = [];
  const write = (line: string) => void lines.push(line);
  const { jwt, get } = await startApp({
    controllers,
    providers: [{ provide: APP_GUARD, useClass: guard }],
    options: { signOptions: { issuer: OWN }, limits: { timeout: 500 }, ...options },
    prepare: (app) => app.useLogger({ log: write, warn: write, error: write }),
  });
  const ask = async (path: string, token?: string) => {
    const response = await get(path, token === undefined ? {} : bearer(token));
    return [response.status, (await response.json()) as Record<string, unknown>] as const;
  };
  return { jwt, ask, lines };
}

async function startWithTwo() {
  const [corp, partner] = [await startIssuer(), await startIssuer()];
  const issuers = [corp.record({ name: 'corp' }), partner.record({ name: 'partner' })];
  const controllers = [RoutesController, RestrictedController, CorpController];
  const { jwt, ask } = await startWith({ issuers }, KmsJwtGuard, controllers);
  const tokens = { corp: corp.token(), partner: partner.token(), own: await jwt.sign({}) };
  return { corp, partner, tokens, ask };
}

describe('@TokenIssuer()', () => {
  test('gives the name of the issuer', async () => {
    const { corp, partner, tokens, ask } = await startWithTwo();
    expect(await ask('/any', tokens.corp)).toEqual([200, { issuer: 'corp', iss: corp.url }]);
    expect(await ask('/any', tokens.partner)).toEqual([200, { issuer: 'partner', iss: partner.url }]);
    expect(await ask('/any', tokens.own)).toEqual([200, { issuer: 'own', iss: OWN }]);
  });

  test('is undefined without a token', async () => {
    const { tokens, ask } = await startWithTwo();
    expect(await ask('/optional')).toEqual([200, { issuer: null }]);
    expect(await ask('/optional', tokens.corp)).toEqual([200, { issuer: 'corp' }]);
  });

  test("is 'own' without the option issuers", async () => {
    const { jwt, ask } = await startWith({});
    expect(await ask('/any', await jwt.sign({}))).toEqual([200, { issuer: 'own', iss: OWN }]);
  });

  test('is undefined for a token that only an overridden authenticate accepts', async () => {
    class ApiKeyGuard extends KmsJwtGuard {
      protected override async authenticate() {
        return { sub: 'machine' };
      }
    }
    const corp = await startIssuer();
    const { ask } = await startWith({ issuers: [corp.record()] }, ApiKeyGuard);
    expect(await ask('/optional', 'api-key')).toEqual([200, { issuer: null }]);
    expect(await ask('/optional', corp.token({ iss: 'https://x.example' }))).toEqual([200, { issuer: null }]);
  });
});

/** Accepts tokens that are signed with another key, as docs/recipes.md does for HS256. */
class OldTokensGuard extends KmsJwtGuard {
  protected override async authenticate(token: string, context: ExecutionContext) {
    const { header, payload } = this.jwt.decode(token, { complete: true });
    return header.alg === 'HS256' ? payload : super.authenticate(token, context);
  }
}
const oldToken = (claims: object) =>
  sign(claims, 'a shared secret of more than 256 bits', { algorithm: 'HS256' });

describe('the iss of a token that only an overridden authenticate has verified', () => {
  test('does not make it a token of that issuer', async () => {
    const corp = await startIssuer();
    const record = corp.record({ name: 'corp', scopes: () => ['orders:read'] });
    const controllers = [RoutesController, CorpController];
    const { ask } = await startWith({ issuers: [record] }, OldTokensGuard, controllers);
    const forged = oldToken({ sub: 'user-42', iss: corp.url });
    expect(await ask('/optional', forged)).toEqual([200, { issuer: null }]);
    expect((await ask('/corp', forged))[0]).toBe(401);
    expect((await ask('/scoped', forged))[0]).toBe(403);
    expect((await ask('/corp', corp.token({ sub: 'user-42' })))[0]).toBe(200);
    expect((await ask('/scoped', corp.token({ sub: 'user-42' })))[0]).toBe(200);
  });

  test('does not make it a token of the module', async () => {
    @Controller()
    class OwnController {
      @Issuers('own') @Get('own') own() {
        return {};
      }
    }
    const { jwt, ask } = await startWith({}, OldTokensGuard, [RoutesController, OwnController]);
    expect(await ask('/optional', oldToken({ iss: OWN }))).toEqual([200, { issuer: null }]);
    expect((await ask('/own', oldToken({ iss: OWN })))[0]).toBe(401);
    expect((await ask('/own', await jwt.sign({})))[0]).toBe(200);
  });
});

describe('@Issuers()', () => {
  test('refuses a token that only an overridden authenticate accepts, because it has no issuer', async () => {
    class ApiKeyGuard extends KmsJwtGuard {
      protected override async authenticate() {
        return { sub: 'machine' };
      }
    }
    const corp = await startIssuer();
    const issuers = [corp.record({ name: 'corp' })];
    const { ask } = await startWith({ issuers }, ApiKeyGuard, [RoutesController, CorpController]);
    expect((await ask('/any', 'api-key'))[0]).toBe(200);
    expect((await ask('/corp', 'api-key'))[0]).toBe(401);
  });

  test.each([
    ['/payroll', 'corp', ['corp']],
    ['/corp', 'corp, by a decorator on the class', ['corp']],
    ['/orders', 'own and partner', ['own', 'partner']],
  ])('admits to %s only tokens of %s', async (path, _, accepted) => {
    const { tokens, ask } = await startWithTwo();
    for (const name of ['corp', 'partner', 'own'] as const) {
      const [status, body] = await ask(path, tokens[name]);
      if (accepted.includes(name)) expect([status, body]).toEqual([200, { issuer: name }]);
      else expect([status, body]).toMatchObject([401, { errorCode: 'token_claim_invalid' }]);
    }
  });

  test('throws without a name', () => {
    const none = [] as unknown as [string];
    expect(() => Issuers(...none)).toThrow(/Issuers needs at least one name/);
    expect(() => Issuers('')).toThrow(/issuers must be an array of names/);
  });
});

/** Requests a route that needs a scope, with a token of an issuer that has this function `scopes`. */
async function scopedWith(scopes: unknown, claims: object) {
  const corp = await startIssuer();
  const record = corp.record(scopes ? { scopes: scopes as IssuerOptions['scopes'] & object } : {});
  const { ask, lines } = await startWith({ issuers: [{ ...record, name: 'corp' }] });
  const [status, body] = await ask('/scoped', corp.token(claims));
  return { status, body, lines };
}

describe('@Scopes()', () => {
  test.each<[string, unknown, object]>([
    ['scope', undefined, { scope: 'openid orders:read' }],
    ['scp', undefined, { scp: ['orders:read'] }],
    ['permissions', (claims: JwtClaims) => claims['permissions'], { permissions: ['orders:read'] }],
    [
      'cognito:groups',
      (claims: JwtClaims) => claims['cognito:groups'],
      { 'cognito:groups': ['orders:read'] },
    ],
    [
      'realm_access.roles',
      ({ realm_access: access }: { realm_access?: { roles: string[] } }) => access?.roles ?? [],
      { realm_access: { roles: ['orders:read'] } },
    ],
  ])('reads the claim %s', async (_, scopes, claims) => {
    expect((await scopedWith(scopes, claims)).status).toBe(200);
  });

  test('reads only what the scopes function of the issuer returns, not the scope claim', async () => {
    const { status } = await scopedWith(() => [], { scope: 'orders:read' });
    expect(status).toBe(403);
  });

  test.each<[string, unknown, string]>([
    ['throws', () => JSON.parse('s3cret'), 'threw SyntaxError'],
    [
      'throws a string',
      () => {
        // oxlint-disable-next-line only-throw-error
        throw 's3cret';
      },
      'threw string',
    ],
    ['returns a string that contains the scope', () => 's3cret orders:read:all', 'must return an array'],
    ['returns undefined', () => undefined, 'must return an array'],
    ['returns a Set', () => new Set(['orders:read']), 'must return an array'],
    ['returns a promise', async () => ['orders:read'], 'must return an array'],
    ['rejects', () => Promise.reject(new Error('s3cret')), 'must return an array'],
  ])(
    'refuses a token when the scopes function %s, and logs why without the claims',
    async (_, scopes, problem) => {
      const { status, body, lines } = await scopedWith(scopes, { scope: 'orders:read' });
      expect([status, body['errorCode']]).toEqual([403, 'insufficient_scope']);
      expect(lines).toContain(`The function scopes of the issuer corp ${problem}: the token has no scopes`);
      expect(JSON.stringify([body, lines])).not.toContain('s3cret');
    },
  );
});

/** Room for one issuer: while the app is in `authenticate`, a token of a second issuer displaces the first one. */
async function startWithTenants(record: (server: TestIssuer, iss: string) => IssuerOptions) {
  const server = await startIssuer();
  class SlowGuard extends KmsJwtGuard {
    protected override async authenticate(...args: Parameters<KmsJwtGuard['authenticate']>) {
      const claims = await super.authenticate(...args);
      await this.jwt.verify(server.token({ iss: `${server.url}/other` }));
      return claims;
    }
  }
  const issuers = async (iss: string) => record(server, iss);
  const { ask } = await startWith({ issuers, limits: { timeout: 2000, maxIssuers: 1 } }, SlowGuard);
  return { server, ask };
}

describe('an issuer that was displaced while its token was verified', () => {
  test('keeps its name: its token does not count as an own token', async () => {
    const { server, ask } = await startWithTenants((one, iss) => one.record({ issuer: iss }));
    const iss = `${server.url}/tenant`;
    expect(await ask('/any', server.token({ iss }))).toEqual([200, { issuer: iss, iss }]);
  });

  test('keeps its scopes function: the scope claim does not count instead', async () => {
    const { server, ask } = await startWithTenants((one, iss) =>
      one.record({ issuer: iss, scopes: () => [] }),
    );
    const token = server.token({ iss: `${server.url}/tenant`, scope: 'orders:read' });
    expect((await ask('/scoped', token))[0]).toBe(403);
  });
});

describe('a token of an issuer that the function no longer returns', () => {
  test('is refused, even if it was verified just before', async () => {
    const server = await startIssuer();
    const app = { record: server.record({ scopes: () => [] }) as IssuerOptions | undefined };
    const token = server.token({ scope: 'orders:read' });
    class SlowGuard extends KmsJwtGuard {
      protected override async authenticate(...args: Parameters<KmsJwtGuard['authenticate']>) {
        const claims = await super.authenticate(...args);
        app.record = undefined;
        const isAccepted = () => this.jwt.verify(token).then(Boolean, () => false);
        await expect.poll(isAccepted, { timeout: 10_000 }).toBe(false);
        return claims;
      }
    }
    const rotation = { refreshInterval: 1, maxStale: 4 } as const;
    const { ask } = await startWith({ issuers: async () => app.record, rotation }, SlowGuard);
    expect(await ask('/scoped', token)).toMatchObject([401, { errorCode: 'token_claim_invalid' }]);
  });
});
