import { SignCommand } from '@aws-sdk/client-kms';
import { Logger } from '@nestjs/common';
import { describe, expect, test } from 'vitest';
import { startRecordedApp } from './app.js';
import { OutputRecorder } from './output-recorder.js';
import { quoteOf, recordedKms } from './kms.js';
import { newCanary, Secrets } from './secrets.js';
import { newKeys, signed } from '../support.js';
import { newClaims } from './support.js';

describe('the search finds a secret', () => {
  const secret = `${newCanary()}.${newCanary()}`;
  const bytes = Buffer.from(secret);
  const found = (text: string) => new Secrets().add('the secret', secret).foundIn([text]);

  test.each<[string, string]>([
    ['in a text', `Value '${secret}' at 'message'`],
    ['whose end is cut off', `Value '${secret.slice(0, 20)}…`],
    ['whose beginning is cut off', `… ${secret.slice(20)}`],
    ['in base64', btoa(secret)],
    ['in base64, after one byte', btoa(`"${secret}"`)],
    ['in base64, after two bytes', btoa(`{"${secret}"}`)],
    ['in base64url', Buffer.from(`ÿ${secret}`).toString('base64url')],
    ['in hex', bytes.toString('hex')],
    ['in capital hex', bytes.toString('hex').toUpperCase()],
    ['as a Buffer', JSON.stringify(bytes)],
    ['as a Buffer that contains it in base64', JSON.stringify(Buffer.from(btoa(secret)))],
    ['as an array of bytes in several lines', [...bytes].join(',\n  ')],
  ])('%s', (_, text) => {
    expect(found(text)).toEqual([expect.stringContaining('the secret')]);
    expect(found(text.toLowerCase().replace(/[a-z0-9]/g, 'x'))).toEqual([]);
  });

  test('that is a number in the claims', async () => {
    const claims = newClaims();
    const secrets = new Secrets().addToken('a token', signed(newKeys(), {}, claims));
    const { thrownBy, recorder } = await startRecordedApp({});
    await thrownBy(() => {
      throw Object.assign(new Error('failed'), { of: { account_number: claims.account_number } });
    });
    expect(secrets.foundIn(recorder.recorded)).toEqual([expect.stringContaining(`${claims.account_number}`)]);
  });

  const planted: [string, (error: Error) => unknown][] = [
    ['a message', () => new Error(secret)],
    ['a name', (error) => Object.assign(error, { name: secret })],
    ['a stack', (error) => Object.assign(error, { stack: secret })],
    ['a cause', () => new Error('failed', { cause: new Error('failed', { cause: new Error(secret) }) })],
    ['a cause that is not an Error', () => new Error('failed', { cause: { secret } })],
    ['a property', (error) => Object.assign(error, { request: { body: [secret] } })],
    ['bytes', (error) => Object.assign(error, { rawPacket: bytes })],
    ['a symbol', (error) => Object.assign(error, { [Symbol('request')]: secret })],
    ['a map', (error) => Object.assign(error, { headers: new Map([['authorization', secret]]) })],
    ['a hidden property', (error) => Object.defineProperty(error, '$response', { value: { secret } })],
    ['the toJSON() result', (error) => Object.assign(error, { toJSON: () => secret })],
    ['a value that is not an Error', () => [{ secret }]],
  ];
  test.each(planted)('in a thrown value: %s', async (_, plant) => {
    const { thrownBy, recorder } = await startRecordedApp({});
    await thrownBy(() => {
      throw plant(new Error('failed'));
    });
    expect(new Secrets().add('the secret', secret).foundIn(recorder.recorded)).toHaveLength(1);
  });

  const outputs: [string, () => unknown][] = [
    ["Nest's Logger", () => new Logger('App').debug({ secret })],
    ['console.log', () => console.log('%s', secret)],
    ['console.error', () => console.error(new Error('failed', { cause: secret }))],
    ['process.stdout', () => process.stdout.write(`${secret}\n`)],
    ['process.stderr', () => process.stderr.write(bytes)],
    ['process.emitWarning', () => process.emitWarning(secret)],
  ];
  test.each(outputs)('in the output of %s', async (_, write) => {
    const { recorder } = await startRecordedApp({});
    write();
    expect(new Secrets().add('the secret', secret).foundIn(recorder.recorded)).toHaveLength(1);
  });

  test('in a response', async () => {
    const recorder = new OutputRecorder();
    await recorder.recordResponse(new Response(null, { headers: { 'www-authenticate': secret } }));
    expect(new Secrets().add('the secret', secret).foundIn(recorder.recorded)).toHaveLength(1);
  });

  test('in an error of the SDK: in the message of KMS, and in the request', async () => {
    const secrets = new Secrets();
    const { localKms, client } = await recordedKms(secrets, 'over HTTP');
    const recorder = new OutputRecorder();
    localKms.inject({ kind: 'error', name: 'ValidationException', message: quoteOf('the.message') });
    const Message = Buffer.from(quoteOf('the.message'));
    const sign = {
      KeyId: 'alias/auth',
      SigningAlgorithm: 'ECDSA_SHA_256',
      MessageType: 'RAW',
      Message,
    } as const;
    recorder.record(await client.send(new SignCommand(sign)).catch((error: unknown) => error));
    expect(secrets.foundIn(recorder.recorded)).toEqual([
      expect.stringContaining('what KMS was sent'),
      expect.stringContaining('session token'),
    ]);
  });
});
