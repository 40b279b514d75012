import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { KMSClient, type KMSClientConfig } from '@aws-sdk/client-kms';
import { LocalKms, type LocalKmsFault } from 'nestjs-kms-jwt/local';
import { onTestFinished } from 'vitest';
import { newCanary, type Secrets } from './secrets.js';

export interface RecordedKms {
  localKms: LocalKms;
  client: KMSClient;
}

export const CARRIERS: Record<string, (localKms: LocalKms, config: KMSClientConfig) => Promise<KMSClient>> = {
  'in process': async (localKms, config) => localKms.client(config),
  'over HTTP': async (localKms, config) => {
    const server = await localKms.listen();
    onTestFinished(() => server.close());
    return new KMSClient({ ...config, region: 'us-east-1', endpoint: server.url });
  },
};

/** A KMS for which the credentials of its client, the input of `Sign` and its output are secrets. */
export async function recordedKms(secrets: Secrets, carrier = 'in process'): Promise<RecordedKms> {
  const localKms = new LocalKms({ keys: [{ alias: 'auth' }] });
  const credentials = {
    accessKeyId: 'AKIAEXAMPLE',
    secretAccessKey: newCanary(),
    sessionToken: newCanary(),
  };
  secrets
    .add('secret access key', credentials.secretAccessKey)
    .add('session token', credentials.sessionToken);
  const client = (await CARRIERS[carrier]?.(localKms, { credentials, maxAttempts: 1 })) as KMSClient;
  onTestFinished(() => client.destroy());
  client.middlewareStack.add((next) => async (request) => {
    if ('Message' in request.input) secrets.add('what KMS was sent', request.input.Message as Uint8Array);
    const answer = await next(request);
    if ('Signature' in answer.output) secrets.add('what KMS answered', answer.output.Signature as Uint8Array);
    return answer;
  });
  return { localKms, client };
}

/** An error message that quotes all parts of a request, in several encodings. */
export function quoteOf(signingInput: string): string {
  const payload = Buffer.from(signingInput.split('.')[1] ?? '', 'base64url').toString();
  const digest = createHash('sha256').update(signingInput).digest();
  const quoted = [
    signingInput,
    payload,
    btoa(signingInput),
    digest.toString('base64'),
    digest.toString('hex'),
    `[${digest.join(', ')}]`,
  ];
  return `1 validation error detected: Value '${quoted.join(' ')}' at 'message' failed to satisfy constraint`;
}

const EXCEPTIONS = [
  'AccessDeniedException',
  'ExpiredTokenException',
  'InvalidSignatureException',
  'UnrecognizedClientException',
  'NotFoundException',
  'DisabledException',
  'InvalidKeyUsageException',
  'KMSInvalidStateException',
  'ValidationException',
  'SerializationException',
  'BrandNewException',
  'ThrottlingException',
];

/** All faults with which `Sign` can fail at once, with their names. */
export const FAULTS: readonly [string, LocalKmsFault][] = [
  ...EXCEPTIONS.map((name): [string, LocalKmsFault] => [name, { kind: 'error', name }]),
  ['an internal failure', { kind: 'error', name: 'KMSInternalException', status: 500 }],
  ['a failure of a key store', { kind: 'error', name: 'KeyUnavailableException', status: 500 }],
  ['too many requests', { kind: 'error', name: 'TooManyRequestsException', status: 429 }],
  ['throttling', { kind: 'throttle' }],
  ['an HTML page', { kind: 'html' }],
  ['a reset connection', { kind: 'drop' }],
  ['a wrong signature', { kind: 'corruptSignature' }],
  ['a signature by another key', { kind: 'otherKey' }],
  ['no signature', { kind: 'omitSignature' }],
  ['a signature that is not DER', { kind: 'signature', signature: new Uint8Array() }],
];

/** The fault with a message or signature that contains the quote. */
export function quoting(fault: LocalKmsFault, quote: string): LocalKmsFault {
  if (fault.kind === 'error') return { ...fault, operation: 'Sign', message: quote };
  if (fault.kind === 'signature') return { ...fault, signature: Buffer.from(quote) };
  return { ...fault, operation: 'Sign' };
}

/** Answers of intermediaries that contain parts of the request. */
export const ECHOES: Record<string, (request: string) => string> = {
  'a page that begins with the message': (request) => {
    const { Message } = JSON.parse(request.slice(request.indexOf('\r\n\r\n'))) as { Message: string };
    return `HTTP/1.1 502 Bad Gateway\r\nConnection: close\r\n\r\n${Message}`;
  },
  'the request itself': (request) => request,
};

/** Routes every `Sign` to a server that answers with the echo. */
export async function echoSign({ client }: RecordedKms, echo: (request: string) => string): Promise<void> {
  const server = createServer((socket) => {
    let request = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      request += chunk;
      if (request.endsWith('}')) socket.end(echo(request));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  client.middlewareStack.add(
    (next, { commandName }) =>
      async (args) => {
        if (commandName === 'SignCommand') Object.assign(args.request as object, { port });
        return next(args);
      },
    { step: 'finalizeRequest', priority: 'low' },
  );
}
