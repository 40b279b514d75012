import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fetchFailureOf } from '../../src/keys/fetch-failure.js';

async function portOf(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

const problemAt = (url: string) =>
  fetch(url).then(
    () => 'none',
    (error: unknown) => fetchFailureOf(error).problem,
  );

test('names a refused connection', async () => {
  const server = createTcpServer();
  const port = await portOf(server);
  server.close();
  expect(await problemAt(`http://127.0.0.1:${port}`)).toBe(
    'the connection was refused; check its host and port (ECONNREFUSED)',
  );
});

test('names a host name that does not resolve', async () => {
  expect(await problemAt('http://issuer.invalid')).toMatch(
    /^its host name does not resolve; check the name, and DNS \((?:ENOTFOUND|EAI_AGAIN)\)$/,
  );
});

test('names a connection that is reset', async () => {
  const server = createTcpServer((socket) => void socket.once('data', () => socket.resetAndDestroy()));
  expect(await problemAt(`http://127.0.0.1:${await portOf(server)}`)).toBe(
    'the connection was closed; check proxies and the issuer (ECONNRESET)',
  );
});

test('names a connection that is closed without an answer', async () => {
  const server = createTcpServer((socket) => void socket.once('data', () => socket.end()));
  expect(await problemAt(`http://127.0.0.1:${await portOf(server)}`)).toBe(
    'the connection was closed; check proxies and the issuer (UND_ERR_SOCKET)',
  );
});

test('names a failed TLS handshake with an http port', async () => {
  expect(await problemAt(`https://127.0.0.1:${await portOf(createHttpServer())}`)).toMatch(
    /^the TLS handshake failed; check its port, and whether it serves https \((?:ERR_SSL_\w+|EPROTO)\)$/,
  );
});

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

test.skipIf(!hasOpenssl)('names an untrusted certificate', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const parameters = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=localhost',
  ];
  execFileSync('openssl', ['req', '-x509', ...parameters, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  const server = createHttpsServer({ key: readFileSync(key), cert: readFileSync(cert) });
  expect(await problemAt(`https://127.0.0.1:${await portOf(server)}`)).toMatch(
    /^its TLS certificate is not trusted; .* \(DEPTH_ZERO_SELF_SIGNED_CERT\)$/,
  );
});

test('names headers that are too long', async () => {
  const server = createHttpServer((_, response) => response.setHeader('x', 'x'.repeat(100_000)).end());
  expect(await problemAt(`http://127.0.0.1:${await portOf(server)}`)).toBe(
    'the headers of its answer are too long (UND_ERR_HEADERS_OVERFLOW)',
  );
});

test.each([
  ['an unknown error', new RangeError('s3cret'), 'it could not be fetched and read (RangeError)'],
  ['a thrown string', 's3cret', 'it could not be fetched and read (string)'],
  ['an answer that is not JSON', new SyntaxError('s3cret'), 'its answer is not JSON; check the path'],
])('does not quote %s', (_, error, problem) => {
  expect(fetchFailureOf(error).problem).toBe(problem);
});
