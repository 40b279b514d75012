import { vi } from 'vitest';
import { verificationKeyFrom } from '../../src/jwt/jwk.js';
import { forge, newKeyPair } from '../support/forge.js';
import { now } from './simulation.js';

export const JWKS_URI = 'https://issuer.example/.well-known/jwks.json';

type Answer = () => Response | Promise<Response>;

/** An issuer with two keys, whose key set a fake `fetch` returns: simulated time cannot wait for sockets. */
export class Issuer {
  readonly requests: Headers[] = [];
  /** Makes the next answer of the issuer. */
  answer: Answer = this.keySet('a', 'b');
  private readonly pairs = new Map(['a', 'b', 'c'].map((kid) => [kid, newKeyPair()]));

  constructor() {
    vi.stubGlobal('fetch', async (_: string, { headers, signal }: RequestInit) => {
      this.requests.push(new Headers(headers));
      return Promise.race([this.answer(), aborted(signal)]);
    });
  }

  /** An answer with these keys. */
  keySet(...kids: string[]): Answer {
    return this.withHeaders({ 'cache-control': 'max-age=300' }, ...kids);
  }

  withHeaders(headers: Record<string, string>, ...kids: string[]): Answer {
    return () => Response.json({ keys: kids.map((kid) => this.jwk(kid)) }, { headers });
  }

  jwk(kid: string): object {
    const key = verificationKeyFrom({ ...this.pairs.get(kid)?.publicKey.export({ format: 'jwk' }), kid });
    return key?.jwk ?? {};
  }

  token(kid: string, lifetime = 365 * 86_400): string {
    const { privateKey } = this.pairs.get(kid) ?? newKeyPair();
    return forge({ alg: 'ES256', typ: 'JWT', kid }, { sub: kid, exp: now() + lifetime }, privateKey);
  }
}

/** Answers without information about the keys. */
export const NO_ANSWERS: [string, Answer][] = [
  ['404', () => Response.json({ keys: [] }, { status: 404 })],
  ['410', () => Response.json({ keys: [] }, { status: 410 })],
  ['500', () => Response.json({ keys: [] }, { status: 500 })],
  ['invalid JSON', () => new Response('<html>')],
  ['no key set', () => Response.json({ keys: {} })],
  ['JSON null', () => Response.json(null)],
  ['a network error', () => Promise.reject(new TypeError('fetch failed'))],
  ['silence', () => new Promise<never>(() => {})],
];

function aborted(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_, reject) =>
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true }),
  );
}
