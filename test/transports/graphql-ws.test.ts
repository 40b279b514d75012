import { UseGuards } from '@nestjs/common';
import { Query, Resolver, Subscription } from '@nestjs/graphql';
import { Claims, fromQuery, KmsJwtGuard, type TokenExtractor } from 'nestjs-kms-jwt';
import { createClient } from 'graphql-ws';
import { ExtractJwt } from 'passport-jwt';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { graphqlModule, start } from './support.js';

function graphqlWsClient(url: string, connectionParams: Record<string, string>) {
  const client = createClient({
    url: url.replace('http', 'ws'),
    connectionParams,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    // Keeps one connection for all operations.
    lazyCloseTimeout: 60_000,
  });
  onTestFinished(() => client.dispose());
  return client;
}

async function subscribe(url: string, connectionParams: Record<string, string> = {}) {
  const client = graphqlWsClient(url, connectionParams);
  const { value } = await client.iterate({ query: 'subscription { ticks }' }).next();
  return value as object;
}

const unusedParameters = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, '']));

describe('a graphql-ws connection', () => {
  @Resolver()
  @UseGuards(KmsJwtGuard)
  class TicksResolver {
    @Query(() => String) hello() {
      return 'hello';
    }
    @Subscription(() => String) async *ticks(@Claims('sub') sub: string) {
      yield { ticks: sub };
    }
  }

  const REFUSED = { errors: [{ extensions: { errorCode: 'token_missing' } }] };

  test.each<[string, TokenExtractor]>([
    ['fromQuery', fromQuery('access_token')],
    ['fromUrlQueryParameter of passport-jwt', ExtractJwt.fromUrlQueryParameter('access_token')],
  ])('can have its token in its URL: %s', async (_, tokenFrom) => {
    const { url, jwt } = await start({
      providers: [TicksResolver],
      imports: [graphqlModule()],
      options: { guard: { tokenFrom } },
    });
    const token = await jwt.sign({ sub: 'user-42' });
    expect(await subscribe(`${url}/graphql?access_token=${token}`)).toEqual({ data: { ticks: 'user-42' } });
    expect(await subscribe(`${url}/graphql`, { access_token: token })).toMatchObject(REFUSED);
  });

  test('is treated as one without parameters if it has more than 100', async () => {
    const { url, jwt } = await start({ providers: [TicksResolver], imports: [graphqlModule()] });
    const authorization = `Bearer ${await jwt.sign({ sub: 'user-42' })}`;
    const few = await subscribe(`${url}/graphql`, { ...unusedParameters(99), authorization });
    expect(few).toEqual({ data: { ticks: 'user-42' } });
    const many = await subscribe(`${url}/graphql`, { ...unusedParameters(100), authorization });
    expect(many).toMatchObject(REFUSED);
  });

  test('has no token after the app has deleted it from the parameters', async () => {
    let parameters: Record<string, unknown> = {};
    const onConnect = ({ connectionParams = {} }: { connectionParams?: Record<string, unknown> }) => {
      parameters = connectionParams;
    };
    const subscriptions = { 'graphql-ws': { onConnect } };
    const { url, jwt } = await start({ providers: [TicksResolver], imports: [graphqlModule(subscriptions)] });
    const client = graphqlWsClient(`${url}/graphql`, { authorization: `Bearer ${await jwt.sign({})}` });
    const ask = async () => (await client.iterate({ query: '{ hello }' }).next()).value as object;
    expect(await ask()).toEqual({ data: { hello: 'hello' } });
    delete parameters['authorization'];
    expect(await ask()).toMatchObject(REFUSED);
  });

  test('reads too many parameters only once, regardless of the number of operations', async () => {
    let reads = 0;
    const onConnect = ({ connectionParams = {} }: { connectionParams?: object }) => {
      Object.defineProperty(connectionParams, 'authorization', {
        get: () => `Bearer nonsense ${(reads += 1)}`,
        enumerable: true,
      });
    };
    const subscriptions = { 'graphql-ws': { onConnect } };
    const { url } = await start({ providers: [TicksResolver], imports: [graphqlModule(subscriptions)] });
    const client = graphqlWsClient(`${url}/graphql`, unusedParameters(100));
    for (let operation = 0; operation < 5; operation += 1) {
      const { value } = await client.iterate({ query: '{ a: hello b: hello c: hello }' }).next();
      expect(value).toMatchObject(REFUSED);
    }
    expect(reads).toBeLessThanOrEqual(1);
  });
});
