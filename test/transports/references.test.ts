import { type ExecutionContext, HttpException, Inject, Injectable, UseGuards } from '@nestjs/common';
import {
  Context,
  GqlExecutionContext,
  Info,
  ResolveField,
  ResolveReference,
  Resolver,
} from '@nestjs/graphql';
import type { GraphQLResolveInfo } from 'graphql';
import {
  Claims,
  getKmsJwtServiceToken,
  type JwtClaims,
  type KmsJwtError,
  KmsJwtGuard,
  type KmsJwtService,
  OptionalAuth,
  Public,
  Scopes,
  VerifyWith,
} from 'nestjs-kms-jwt';
import { describe, expect, test } from 'vitest';
import { bearer } from '../auth/support.js';
import { type Reference, startSubgraph } from './references.support.js';

interface GraphqlContext {
  req: { user?: JwtClaims; headers: Record<string, string> };
}

const Internal = KmsJwtGuard.named('internal');

/** Its decorators open the resolver, but do not affect verifyReference. */
@Public()
@OptionalAuth()
@Resolver('User')
class UserResolver {
  constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}

  @ResolveReference()
  async resolveReference(reference: Reference, context: GraphqlContext, info: GraphQLResolveInfo) {
    const claims = await this.guard.verifyReference(context, info);
    return { id: `${reference.id} of ${claims.sub}, ${context.req.user?.sub} at the request` };
  }

  @ResolveField() owner(@Claims('sub') sub?: string) {
    return sub ?? 'nobody';
  }
}

@Resolver('Order')
class OpenOrderResolver {
  @ResolveReference() resolveReference({ id }: Reference) {
    return { id };
  }
  @ResolveField() owner(@Claims('sub') sub?: string) {
    return sub ?? 'nobody';
  }
}

const refusal = (code: string, errorCode: string, index = 0) => ({
  path: ['entities', index],
  extensions: { code, errorCode },
});

describe('verifyReference', () => {
  test('verifies the token of the request, and gives its claims to the fields of the entity', async () => {
    const { resolve, jwt } = await startSubgraph([UserResolver, OpenOrderResolver]);
    const token = await jwt.sign({ sub: 'user-42' });
    expect(await resolve(['User', 'User'], bearer(token))).toEqual({
      data: {
        entities: ['0', '1'].map((id) => ({
          id: `${id} of user-42, user-42 at the request`,
          owner: 'user-42',
        })),
      },
    });
  });

  test('refuses like the guard, regardless of @Public() and @OptionalAuth(), and other entities are answered', async () => {
    const { resolve, jwt } = await startSubgraph([UserResolver, OpenOrderResolver]);
    const open = { id: '1', owner: 'nobody' };
    const nobody = await resolve(['User', 'Order']);
    expect(nobody).toMatchObject({
      data: { entities: [null, open] },
      errors: [refusal('UNAUTHENTICATED', 'token_missing')],
    });
    const expired = await resolve(['User', 'Order'], bearer(await jwt.sign({ exp: 1 })));
    expect(expired).toMatchObject({
      data: { entities: [null, open] },
      errors: [refusal('UNAUTHENTICATED', 'token_expired')],
    });
  });

  test('answers SERVICE_UNAVAILABLE if isRevoked fails', async () => {
    const { resolve, jwt } = await startSubgraph([UserResolver], [], {
      isRevoked: () => Promise.reject(new Error('unavailable')),
    });
    const answer = await resolve(['User'], bearer(await jwt.sign({})));
    expect(answer).toMatchObject({
      errors: [
        { message: 'Service Unavailable', ...refusal('SERVICE_UNAVAILABLE', 'revocation_unavailable') },
      ],
    });
  });

  test('applies @Scopes() and @VerifyWith() of the class of the resolver that it is given', async () => {
    @Scopes('users:read')
    @VerifyWith({ audience: 'users' })
    @Resolver('User')
    class ScopedResolver {
      constructor(@Inject(KmsJwtGuard) private readonly guard: KmsJwtGuard) {}
      @ResolveReference()
      async resolveReference(@Context() context: GraphqlContext, @Info() info: GraphQLResolveInfo) {
        return { id: (await this.guard.verifyReference(context, info, { resolver: this })).sub };
      }
    }
    const { resolve, jwt } = await startSubgraph([ScopedResolver]);
    const resolveWith = async (claims: object) => resolve(['User'], bearer(await jwt.sign(claims)));
    expect(await resolveWith({ sub: 'user-42', aud: 'users', scope: 'users:read' })).toMatchObject({
      data: { entities: [{ id: 'user-42' }] },
    });
    expect(await resolveWith({ aud: 'users' })).toMatchObject({
      errors: [refusal('FORBIDDEN', 'insufficient_scope')],
    });
    expect(await resolveWith({ scope: 'users:read' })).toMatchObject({
      errors: [refusal('UNAUTHENTICATED', 'token_claim_invalid')],
    });
  });

  test('calls the methods that a subclass overrides, with the context of the operation', async () => {
    const calls: unknown[] = [];
    @Injectable()
    class CountingGuard extends KmsJwtGuard {
      protected override getToken(context: ExecutionContext) {
        const { req } = GqlExecutionContext.create(context).getContext<GraphqlContext>();
        calls.push(
          context.getType(),
          GqlExecutionContext.create(context).getInfo<GraphQLResolveInfo>().fieldName,
        );
        return req.headers['x-token'];
      }
      protected override async authenticate(token: string, context: ExecutionContext) {
        return { ...(await super.authenticate(token, context)), role: 'admin' };
      }
      protected override handleError(error: KmsJwtError) {
        calls.push(error.code);
        return new HttpException('Log in again', 419);
      }
    }
    @Resolver('User')
    class CountedResolver {
      constructor(@Inject(CountingGuard) private readonly guard: CountingGuard) {}
      @ResolveReference()
      async resolveReference(_reference: Reference, context: GraphqlContext, info: GraphQLResolveInfo) {
        return { id: (await this.guard.verifyReference(context, info))['role'] };
      }
    }
    const { resolve, jwt } = await startSubgraph([CountedResolver, CountingGuard as never]);
    expect(await resolve(['User'], { 'x-token': await jwt.sign({}) })).toMatchObject({
      data: { entities: [{ id: 'admin' }] },
    });
    expect(await resolve(['User'])).toMatchObject({ errors: [{ message: 'Log in again' }] });
    expect(calls).toEqual(['graphql', '_entities', 'graphql', '_entities', 'token_missing']);
  });

  test('gives no field the claims of another token if the references of one field have different tokens', async () => {
    @Resolver('Order')
    class InternalOrderResolver {
      constructor(@Inject(Internal) private readonly guard: KmsJwtGuard) {}
      @ResolveReference()
      async resolveReference(_reference: Reference, context: GraphqlContext, info: GraphQLResolveInfo) {
        return { id: (await this.guard.verifyReference(context, info)).sub };
      }
      @ResolveField() owner(@Claims('sub') sub?: string) {
        return sub ?? 'nobody';
      }
    }
    const { resolve, app, jwt } = await startSubgraph([UserResolver, InternalOrderResolver, Internal]);
    const internal = app.get<KmsJwtService>(getKmsJwtServiceToken('internal'), { strict: false });
    const headers = {
      ...bearer(await jwt.sign({ sub: 'user-42' })),
      'x-internal': await internal.sign({ sub: 's' }),
    };
    expect(await resolve(['Order'], headers)).toMatchObject({
      data: { entities: [{ id: 's', owner: 's' }] },
    });
    for (let run = 0; run < 10; run += 1) {
      const { data, errors = [] } = await resolve(['User', 'Order', 'User', 'Order'], headers);
      const owners = data.entities.map(
        (entity) => (entity as { owner: string | null } | null)?.owner ?? null,
      );
      // Null or correct: fields of one entity may be resolved before another entity is verified.
      expect(owners).toEqual([
        expect.toBeOneOf(['user-42', null]),
        expect.toBeOneOf(['s', null]),
        expect.toBeOneOf(['user-42', null]),
        expect.toBeOneOf(['s', null]),
      ]);
      expect(errors.length).toBeGreaterThan(0);
      for (const { message } of errors) expect(message).toMatch(/(claims are|request.user is) ambiguous/);
    }
  });

  test('throws for arguments that are not those of a __resolveReference', async () => {
    const { app } = await startSubgraph([UserResolver]);
    const guard = app.get(KmsJwtGuard);
    for (const args of [[], [{}], [{ req: {} }, {}], [{ id: '1' }, { req: {} }], [null, null]]) {
      await expect(guard.verifyReference(...(args as [never, never]))).rejects.toThrow(/verifyReference/);
    }
  });
});

describe('a @ResolveReference()', () => {
  @UseGuards(KmsJwtGuard)
  @Resolver('User')
  class GuardedResolver {
    @ResolveReference() resolveReference(@Claims('sub') sub?: string) {
      return { id: sub };
    }
    @Public() @ResolveField() owner(@Claims('sub') sub?: string) {
      return sub ?? 'nobody';
    }
  }

  test('is not guarded by @UseGuards() by default', async () => {
    const { resolve } = await startSubgraph([GuardedResolver]);
    expect(await resolve(['User'])).toEqual({ data: { entities: [{ id: null, owner: 'nobody' }] } });
  });

  test("is guarded, and receives its claims, with fieldResolverEnhancers: ['guards']", async () => {
    const { resolve, jwt } = await startSubgraph([GuardedResolver, OpenOrderResolver], ['guards']);
    expect(await resolve(['User'])).toMatchObject({ errors: [refusal('UNAUTHENTICATED', 'token_missing')] });
    const token = await jwt.sign({ sub: 'user-42' });
    expect(await resolve(['User'], bearer(token))).toEqual({
      data: { entities: [{ id: 'user-42', owner: 'user-42' }] },
    });
  });
});
