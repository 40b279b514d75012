import { DisableKeyCommand } from '@aws-sdk/client-kms';
import { ApolloDriver, type ApolloDriverConfig } from '@nestjs/apollo';
import { UseGuards } from '@nestjs/common';
import { GraphQLModule, Query, Resolver, Subscription } from '@nestjs/graphql';
import { createClient } from 'graphql-ws';
import { KmsJwtGuard, type KmsJwtModuleOptions, VerifyWith } from 'nestjs-kms-jwt';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { ENDS } from '../../transports/ends.js';
import { startApp } from '../support.js';
import { expectEndWithinASecondOf, soon } from './support.js';

@Resolver()
class PricesResolver {
  @Query(() => String) price() {
    return '1';
  }
  @VerifyWith({ maxAge: 60 }) @UseGuards(KmsJwtGuard) @Subscription(() => String) async *strict() {
    await new Promise((resolve) => setTimeout(resolve, 10_000));
    yield { strict: '1' };
  }
  @VerifyWith({ verification: 'kms' }) @UseGuards(KmsJwtGuard) @Subscription(() => String) async *byKms() {
    for (;;) {
      yield { byKms: '1' };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  @VerifyWith({ verification: 'local' }) @UseGuards(KmsJwtGuard) @Subscription(() => String) async *local() {
    for (;;) {
      yield { local: '1' };
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  @UseGuards(KmsJwtGuard) @Subscription(() => String) async *prices() {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      yield { prices: '1' };
    }
  }
}

const start = (options: Partial<KmsJwtModuleOptions>, graphql: Partial<ApolloDriverConfig> = {}) =>
  startApp({
    providers: [PricesResolver],
    imports: [
      GraphQLModule.forRoot<ApolloDriverConfig>({
        driver: ApolloDriver,
        autoSchemaFile: true,
        subscriptions: { 'graphql-ws': true },
        ...graphql,
      }),
    ],
    options,
  });

/** Subscribes until the end, with the token in `connectionParams`, or in the handshake if the app sets `context`. */
async function subscribe(
  graphql: Partial<ApolloDriverConfig> = {},
  query = 'subscription { prices }',
  claimsAt: (now: number) => object = () => ({}),
) {
  const { url, jwt } = await start({}, graphql);
  // After the start, which may take seconds.
  const [now, exp] = [Math.floor(Date.now() / 1000), soon()];
  const authorization = `Bearer ${await jwt.sign({ exp, ...claimsAt(now) })}`;
  const path = `${url.replace('http', 'ws')}/graphql`;
  const headers = graphql.context ? { authorization } : {};
  const socket = new WebSocket(path, 'graphql-transport-ws', { headers });
  onTestFinished(() => socket.terminate());
  const payload = graphql.context ? {} : { authorization };
  socket.on('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload })));
  let events = 0;
  socket.on('message', (message: Buffer) => {
    const { type } = JSON.parse(message.toString()) as { type: string };
    if (type === 'next') events += 1;
    if (type !== 'connection_ack') return;
    socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }));
  });
  const [code, reason] = await new Promise<[number, string]>((resolve) =>
    socket.on('close', (...why) => resolve([why[0], why[1].toString()])),
  );
  return { closed: `${code} ${reason}`, events, exp, now };
}

test('a subscription ends at iat plus its own maxAge, even if its connection could stay open longer', async () => {
  const { closed, now } = await subscribe({}, 'subscription { strict }', (at) => ({
    iat: at - 58,
    exp: at + 600,
  }));
  expect(closed).toBe(ENDS['graphql-ws'].closed);
  expectEndWithinASecondOf(now + 2);
});

test('a subscription over graphql-ws ends within a second of exp with code 4403, after which clients reconnect', async () => {
  const { closed, events, exp } = await subscribe();
  expect(closed).toBe(ENDS['graphql-ws'].closed);
  expect(events).toBeGreaterThan(0);
  expectEndWithinASecondOf(exp);
});

/** A `context` of the app that hides the connection. */
const context = ({ extra, req }: { extra?: { request: object }; req?: object }) => ({
  req: extra ? extra.request : req,
});

test('a subscription also ends when the context has the handshake request instead of the connection', async () => {
  const { closed, events, exp } = await subscribe({ context });
  // RFC 6455, section 7.1.5: closed without a close frame.
  expect(closed).toBe('1006 ');
  expect(events).toBeGreaterThan(0);
  expectEndWithinASecondOf(exp);
});

test.each<[string, string, string, Partial<KmsJwtModuleOptions>]>([
  ['of the option of the second subscription', 'prices', 'byKms', {}],
  [
    'of the option of the module, which the first subscription overrides',
    'local',
    'prices',
    { verification: 'kms' },
  ],
])('a connection is rechecked with KMS because %s', async (_, first, second, options) => {
  const { url, jwt, localKms } = await start({ guard: { recheckInterval: 1 }, ...options });
  const client = createClient({
    url: `${url.replace('http', 'ws')}/graphql`,
    connectionParams: { authorization: `Bearer ${await jwt.sign({})}` },
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  onTestFinished(() => client.dispose());
  const closed = new Promise((resolve) => client.on('closed', resolve));
  for (const name of [first, second]) {
    const { value } = await client.iterate({ query: `subscription { ${name} }` }).next();
    expect(value).toEqual({ data: { [name]: '1' } });
  }
  await localKms.client().send(new DisableKeyCommand({ KeyId: localKms.keys[0]?.keyId }));
  expect(await closed).toMatchObject({ code: 4403, reason: 'token_key_disabled' });
});
