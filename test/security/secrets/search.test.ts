import { SignCommand } from '@aws-sdk/client-kms';
import { Logger } from '@nestjs/common';
import { describe, expect, test } from 'vitest';
import { startOverheardApp } from './app.js';
import { Eavesdropper } from './eavesdropper.js';
import { quoteOf, tappedKms } from './kms.js';
import { newCanary, Secrets } from './secrets.js';
import { newKeys, signed } from '../support.js';
import { newClaims } from './support.js';

describe('the search finds a secret', () => {
  const secret = `${newCanary()}.${newCanary()}`;
  const bytes = Buffer.from(secret);
  const found = (text: string) => new Secrets().add('the secret', secret).foundIn([text]);

  test.each<[string, string]>([
    ['in a text', `Value '${secret}' at 'message'`],
    ['that is cut', `Value '${secret.slice(0, 20)}…`],
    ['whose beginning is cut off', `… ${secret.slice(20)}`],
    ['in base64', btoa(secret)],
    ['in base64, behind one byte', btoa(`"${secret}"`)],
    ['in base64, behind two bytes', btoa(`{"${secret}"}`)],
    ['in base64url', Buffer.from(`ÿ${secret}`).toString('base64url')],
    ['in hex', bytes.toString('hex')],
    ['in capital hex', bytes.toString('hex').toUpperCase()],
    ['as a Buffer', JSON.stringify(bytes)],
    ['as a Buffer that holds it in base64', JSON.stringify(Buffer.from(btoa(secret)))],
    ['as a list in lines', [...bytes].join(',\n  ')],
  ])('%s', (_, text) => {
    expect(found(text)).toEqual([expect.stringContaining('the secret')]);
    expect(found(text.toLowerCase().replace(/[a-z0-9]/g, 'x'))).toEqual([]);
  });

  test('that is a number among the claims', async () => {
    const claims = newClaims();
    const secrets = new Secrets().addToken('a token', signed(newKeys(), {}, claims));
    const { thrownBy, eavesdropper } = await startOverheardApp({});
    await thrownBy(() => {
      throw Object.assign(new Error('failed'), { of: { account_number: claims.account_number } });
    });
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([
      expect.stringContaining(`${claims.account_number}`),
    ]);
  });

  const planted: [string, (error: Error) => unknown][] = [
    ['a message', () => new Error(secret)],
    ['a name', (error) => Object.assign(error, { name: secret })],
    ['a stack', (error) => Object.assign(error, { stack: secret })],
    ['a cause', () => new Error('failed', { cause: new Error('failed', { cause: new Error(secret) }) })],
    ['a cause that is no error', () => new Error('failed', { cause: { secret } })],
    ['a property', (error) => Object.assign(error, { request: { body: [secret] } })],
    ['bytes', (error) => Object.assign(error, { rawPacket: bytes })],
    ['a symbol', (error) => Object.assign(error, { [Symbol('request')]: secret })],
    ['a map', (error) => Object.assign(error, { headers: new Map([['authorization', secret]]) })],
    ['a hidden property', (error) => Object.defineProperty(error, '$response', { value: { secret } })],
    ['what JSON makes of it', (error) => Object.assign(error, { toJSON: () => secret })],
    ['something else than an error', () => [{ secret }]],
  ];
  test.each(planted)('in %s of what is thrown', async (_, plant) => {
    const { thrownBy, eavesdropper } = await startOverheardApp({});
    await thrownBy(() => {
      throw plant(new Error('failed'));
    });
    expect(new Secrets().add('the secret', secret).foundIn(eavesdropper.heard)).toHaveLength(1);
  });

  const said: [string, () => unknown][] = [
    ["Nest's Logger", () => new Logger('App').debug({ secret })],
    ['console.log', () => console.log('%s', secret)],
    ['console.error', () => console.error(new Error('failed', { cause: secret }))],
    ['process.stdout', () => process.stdout.write(`${secret}\n`)],
    ['process.stderr', () => process.stderr.write(bytes)],
    ['process.emitWarning', () => process.emitWarning(secret)],
  ];
  test.each(said)('in what goes to %s', async (_, say) => {
    const { eavesdropper } = await startOverheardApp({});
    say();
    expect(new Secrets().add('the secret', secret).foundIn(eavesdropper.heard)).toHaveLength(1);
  });

  test('in an answer', async () => {
    const eavesdropper = new Eavesdropper();
    await eavesdropper.hearAnswer(new Response(null, { headers: { 'www-authenticate': secret } }));
    expect(new Secrets().add('the secret', secret).foundIn(eavesdropper.heard)).toHaveLength(1);
  });

  test("in the SDK's own error: in what KMS says, and in the request that it leads to", async () => {
    const secrets = new Secrets();
    const { localKms, client } = await tappedKms(secrets, 'over HTTP');
    const eavesdropper = new Eavesdropper();
    localKms.inject({ kind: 'error', name: 'ValidationException', message: quoteOf('the.message') });
    const Message = Buffer.from(quoteOf('the.message'));
    const sign = {
      KeyId: 'alias/auth',
      SigningAlgorithm: 'ECDSA_SHA_256',
      MessageType: 'RAW',
      Message,
    } as const;
    eavesdropper.hear(await client.send(new SignCommand(sign)).catch((error: unknown) => error));
    expect(secrets.foundIn(eavesdropper.heard)).toEqual([
      expect.stringContaining('what KMS was sent'),
      expect.stringContaining('session token'),
    ]);
  });
});
