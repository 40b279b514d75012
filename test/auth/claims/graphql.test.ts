import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { type CanActivate, type ExecutionContext, Injectable, UseGuards } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import {
  Context,
  Field,
  GqlExecutionContext,
  GraphQLModule,
  ObjectType,
  Query,
  ResolveField,
  Resolver,
  Subscription,
} from '@nestjs/graphql';
import { createClient } from 'graphql-ws';
import {
  Claims,
  claimsOf,
  fromHeader,
  getKmsJwtServiceToken,
  type JwtClaims,
  KmsJwtGuard,
  KmsJwtModule,
  type KmsJwtService,
  OptionalAuth,
  Public,
  Scopes,
  VerifyWith,
} from 'nestjs-kms-jwt';
import { LocalKms } from 'nestjs-kms-jwt/local';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { bearer, startApp } from '../support.js';

interface GraphqlContext {
  req: { user?: JwtClaims; headers?: Record<string, string> };
}

const nap = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

@ObjectType()
class Order {
  @Field(() => String) owner = '';
  @Field(() => String) viewer = '';
}

/** A guard of the app that reads `request.user`, as is common with Passport. */
@Injectable()
class AdminByRequestUser implements CanActivate {
  async canActivate(context: ExecutionContext) {
    const { req } = GqlExecutionContext.create(context).getContext<GraphqlContext>();
    await nap(20);
    return req.user?.['role'] === 'admin';
  }
}

/** The same check on the claims of the call. */
@Injectable()
class AdminByClaims implements CanActivate {
  canActivate(context: ExecutionContext) {
    return claimsOf(context)?.['role'] === 'admin';
  }
}

const Internal = KmsJwtGuard.named('internal');

@Resolver(() => Order)
class OrdersResolver {
  @Query(() => String, { nullable: true }) async orders(
    @Context() { req }: GraphqlContext,
    @Claims('sub') sub: string,
  ) {
    await nap(20);
    return `${sub} by @Claims, ${req.user?.sub} at the request`;
  }
  @Scopes('admin') @Query(() => String, { nullable: true }) admin() {
    return 'admin';
  }
  @Public() @Query(() => String, { nullable: true }) open(@Claims('sub') sub?: string) {
    return sub ?? 'nobody';
  }
  @VerifyWith({ audience: 'others' }) @Query(() => String, { nullable: true }) others() {
    return 'others';
  }
  @UseGuards(Internal) @Query(() => String, { nullable: true }) internal(@Claims('sub') sub: string) {
    return sub;
  }
  @UseGuards(AdminByRequestUser) @Query(() => String, { nullable: true }) settings() {
    return 'settings';
  }
  @UseGuards(AdminByClaims) @Query(() => String, { nullable: true }) reports() {
    return 'reports';
  }
  @Query(() => [Order]) list() {
    return [new Order(), new Order()];
  }
  @Subscription(() => Order) async *placed() {
    yield { placed: new Order() };
    await nap(5);
    yield { placed: new Order() };
  }
  @ResolveField(() => String) owner(@Claims('sub') sub?: string) {
    return sub ?? 'nobody';
  }
  @UseGuards(KmsJwtGuard) @OptionalAuth() @ResolveField(() => String) viewer(@Claims('sub') sub?: string) {
    return sub ?? 'nobody';
  }
  @UseGuards(Internal) @Query(() => Order) internalOrder() {
    return new Order();
  }
}

async function startGraphql(graphql: Partial<ApolloDriverConfig> = {}) {
  const localKms = new LocalKms({ keys: [{ alias: 'internal' }] });
  const started = await startApp({
    imports: [
      KmsJwtModule.forRoot({
        name: 'internal',
        isGlobal: true,
        keyId: 'alias/internal',
        client: localKms.client(),
        guard: { tokenFrom: fromHeader('x-internal') },
      }),
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        autoSchemaFile: true,
        ...graphql,
        subscriptions: { 'graphql-ws': true },
      }),
    ],
    providers: [OrdersResolver, { provide: APP_GUARD, useClass: KmsJwtGuard }],
  });
  const internal = started.app.get<KmsJwtService>(getKmsJwtServiceToken('internal'), { strict: false });
  const ask = async (query: string, headers: Record<string, string>) => {
    const response = await fetch(`${started.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
    });
    const { data, errors = [] } = (await response.json()) as {
      data: Record<string, unknown>;
      errors?: { path: string[]; extensions: { errorCode: string } }[];
    };
    return { data, refused: errors.map(({ path }) => path.join('.')) };
  };
  return { ...started, internal, ask };
}

describe('fields of one operation', () => {
  test.each(['admin', 'open', 'others'])(
    'keep their claims and request.user next to the field %s',
    async (other) => {
      const { jwt, ask } = await startGraphql();
      const headers = bearer(await jwt.sign({ sub: 'user-42' }));
      for (const query of [`{ orders ${other} }`, `{ ${other} orders }`]) {
        const { data } = await ask(query, headers);
        expect(data['orders']).toBe('user-42 by @Claims, user-42 at the request');
        if (other === 'open') expect(data['open']).toBe('nobody');
        else expect(data[other]).toBeNull();
      }
    },
  );

  test('of two registrations have their own claims, and request.user has neither', async () => {
    const { jwt, internal, ask } = await startGraphql();
    const headers = {
      ...bearer(await jwt.sign({ sub: 'user-42' })),
      'x-internal': await internal.sign({ sub: 'service', role: 'admin' }),
    };
    // The app guard verifies the user; the claims of the other registration must not admit a guard that reads request.user.
    for (const query of ['{ settings internal }', '{ internal settings }', '{ reports internal }']) {
      const { data } = await ask(query, headers);
      expect(data['internal']).toBe('service');
      expect([data['settings'], data['reports']]).not.toContain('settings');
      expect([data['settings'], data['reports']]).not.toContain('reports');
    }
    const { data, refused } = await ask('{ orders internal }', headers);
    expect(data['internal']).toBe('service');
    // A handler that reads request.user gets an error, not undefined.
    expect(refused).toEqual(['orders']);
  });

  test('can be protected by guards that read claimsOf(context) or request.user', async () => {
    const { jwt, ask } = await startGraphql();
    const admin = bearer(await jwt.sign({ sub: 'user-1', role: 'admin' }));
    expect(await ask('{ reports settings }', admin)).toEqual({
      data: { reports: 'reports', settings: 'settings' },
      refused: [],
    });
    const user = bearer(await jwt.sign({ sub: 'user-2' }));
    expect((await ask('{ reports settings }', user)).data).toEqual({ reports: null, settings: null });
  });

  test('that are nested have the claims of their parent field', async () => {
    const { jwt, ask } = await startGraphql();
    const headers = bearer(await jwt.sign({ sub: 'user-42' }));
    const { data } = await ask('{ list { owner } open admin }', headers);
    expect(data['list']).toEqual([{ owner: 'user-42' }, { owner: 'user-42' }]);
  });
});

test('a nested field with @OptionalAuth() does not have the claims of its parent field', async () => {
  const { internal, ask } = await startGraphql({ fieldResolverEnhancers: ['guards'] });
  const headers = { 'x-internal': await internal.sign({ sub: 'service' }) };
  const { data } = await ask('{ internalOrder { viewer } }', headers);
  expect(data).toEqual({ internalOrder: { viewer: 'nobody' } });
});

test('the fields of a subscription event have the claims of that subscription', async () => {
  const { jwt, url } = await startGraphql();
  const clients = await Promise.all(
    ['user-1', 'user-2', 'user-3'].map(async (sub) => {
      const client = createClient({
        url: `${url.replace('http', 'ws')}/graphql`,
        connectionParams: bearer(await jwt.sign({ sub })),
        webSocketImpl: WebSocket,
        retryAttempts: 0,
      });
      onTestFinished(() => client.dispose());
      return { sub, client };
    }),
  );
  await Promise.all(
    clients.map(async ({ sub, client }) => {
      const events: unknown[] = [];
      for await (const event of client.iterate({ query: 'subscription { placed { owner } }' })) {
        events.push(event);
      }
      const event = { data: { placed: { owner: sub } } };
      expect(events).toEqual([event, event]);
    }),
  );
});
