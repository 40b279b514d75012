import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { IssuerOptions } from 'nestjs-kms-jwt';
import { onTestFinished as onAnyTestFinished } from 'vitest';
import { forge, newKeyPair } from './forge.js';

const OPENID = '/.well-known/openid-configuration';
export const OAUTH = '/.well-known/oauth-authorization-server';

export const inAnHour = () => Math.floor(Date.now() / 1000) + 3600;

/** An issuer on a free port. It serves its key set and its metadata, and records the requests. */
export class TestIssuer {
  /** The requested paths. */
  readonly requests: string[] = [];
  /** Replaces all answers while it is set. */
  fault: RequestListener | undefined;
  /** Members to add to the metadata, or to replace there. */
  metadata: object = {};
  private readonly pairs = new Map<string, { publicKey: KeyObject; privateKey: KeyObject }>();
  private readonly server: Server;

  constructor(...kids: string[]) {
    for (const kid of kids) this.add(kid);
    this.server = createServer((request, response) => {
      this.requests.push(request.url ?? '');
      if (this.fault) return this.fault(request, response);
      const body = request.url === '/jwks.json' ? this.keySet : this.metadataAt(request.url ?? '');
      return response
        .writeHead(body ? 200 : 404, { 'cache-control': 'max-age=30' })
        .end(JSON.stringify(body));
    });
  }

  async listen(): Promise<void> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  get jwksUri(): string {
    return `${this.url}/jwks.json`;
  }

  get keySet(): { keys: object[] } {
    return {
      keys: [...this.pairs].map(([kid, { publicKey }]) => ({ ...publicKey.export({ format: 'jwk' }), kid })),
    };
  }

  /** Adds a key, or replaces the one with that `kid`. */
  add(kid: string, pair = newKeyPair()): void {
    this.pairs.set(kid, pair);
  }

  remove(kid: string): void {
    this.pairs.delete(kid);
  }

  pair(kid: string): { publicKey: KeyObject; privateKey: KeyObject } {
    return this.pairs.get(kid) ?? newKeyPair();
  }

  /** The number of requests for the key set. */
  get fetches(): number {
    return this.requests.filter((path) => path === '/jwks.json').length;
  }

  /** The record of this issuer, which requires the audience `orders`. */
  record(changes: Partial<IssuerOptions> = {}): IssuerOptions {
    return {
      issuer: this.url,
      audience: 'orders',
      algorithms: ['ES256'],
      keys: { jwksUri: this.jwksUri },
      ...changes,
    };
  }

  /** A token that the record accepts, except for the changes that the arguments make. */
  token(claims: object = {}, { kid = 'a', header = {}, key = this.pair(kid).privateKey } = {}): string {
    const payload = { iss: this.url, aud: 'orders', sub: 'user-42', exp: inAnHour(), ...claims };
    return forge({ alg: 'ES256', typ: 'JWT', kid, ...header }, payload, key);
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private metadataAt(path: string): object | undefined {
    if (path !== OPENID) return undefined;
    return { issuer: this.url, jwks_uri: this.jwksUri, ...this.metadata };
  }
}

/** Starts an issuer that has a key for each `kid`, by default `a`, until the end of the test. */
export async function startIssuer(...kids: string[]): Promise<TestIssuer> {
  const issuer = new TestIssuer(...(kids.length > 0 ? kids : ['a']));
  onAnyTestFinished(() => issuer.close());
  await issuer.listen();
  return issuer;
}

/** An RSA key pair as Entra ID uses it, with a JWK without `alg`. */
export const newRsaPair = () => generateKeyPairSync('rsa', { modulusLength: 2048 });

/** How an issuer can fail. */
export const FAULTS: [string, RequestListener][] = [
  ['never answers', () => {}],
  ['resets its connections', ({ socket }) => void socket.resetAndDestroy()],
  ['answers with HTML', (_, response) => void response.end('<html>')],
  [
    'sends one byte at a time',
    (_, response) => {
      const timer = setInterval(() => response.write(' '), 20);
      response.on('close', () => clearInterval(timer));
    },
  ],
  [
    'answers with 1 GB',
    (_, response) => {
      let rest = 16_384;
      const more = () => {
        while (rest > 0 && !response.destroyed && response.write(' '.repeat(65_536))) rest -= 1;
      };
      response.on('drain', more);
      more();
    },
  ],
  ['redirects', (_, response) => void response.writeHead(302, { location: '/elsewhere' }).end()],
  ['answers 500', (_, response) => void response.writeHead(500).end()],
];
