import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { forge } from './forge.js';

/** The issuers whose published documents are in `issuers/`. */
export type PublishedIssuerName =
  'auth0' | 'cognito' | 'entra-v1' | 'entra-v2' | 'github-actions' | 'google' | 'keycloak';

/** Names and values are those that the issuer publishes; keys and times are generated for the test. */
interface PublishedForm {
  /** The origins of the issuer, which the URL of the server replaces. */
  readonly origins: readonly string[];
  /** The metadata, by path. */
  readonly documents: Readonly<Record<string, object>>;
  /** The key sets, by path. Tokens are signed by the first key of each. */
  readonly keySets: Readonly<Record<string, readonly object[]>>;
  readonly tokens: Readonly<Record<string, { readonly header: object; readonly claims: object }>>;
}

/** Members to add to the header and claims of the published form, or to replace there; `undefined` removes a claim. */
export interface TokenChanges {
  readonly token?: string;
  readonly header?: object;
  readonly claims?: Readonly<Record<string, unknown>>;
}

const LIFETIME_SECONDS = 3600;

/** A server on loopback that publishes metadata and keys, and signs tokens, in the form of a well-known issuer. */
export class PublishedIssuer {
  /** The requested paths. */
  readonly requests: string[] = [];
  private readonly signing = newKeyPair();
  private readonly other = newKeyPair();
  private readonly server: Server;

  private constructor(private readonly original: PublishedForm) {
    this.server = createServer((request, response) => {
      const path = request.url ?? '';
      this.requests.push(path);
      const document = this.form.documents[path] ?? this.keySetAt(path);
      response.writeHead(document ? 200 : 404, { 'content-type': 'application/json' });
      response.end(JSON.stringify(document ?? { error: 'not_found' }));
    });
  }

  static async start(name: PublishedIssuerName): Promise<PublishedIssuer> {
    const file = new URL(`issuers/${name}.json`, import.meta.url);
    const issuer = new PublishedIssuer(JSON.parse(await readFile(file, 'utf8')) as PublishedForm);
    issuer.server.listen(0, '127.0.0.1');
    await once(issuer.server, 'listening');
    return issuer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The text with the origins of the issuer replaced by the URL of this server. */
  localized(text: string): string {
    return this.original.origins.reduce((changed, origin) => changed.replaceAll(origin, this.url), text);
  }

  /** A token in the form of the issuer, by default its first published one. */
  token({ token, header, claims }: TokenChanges = {}): string {
    const { tokens } = this.form;
    const published = token === undefined ? Object.values(tokens)[0] : tokens[token];
    if (!published) throw new Error(`The issuer has no published token ${token}`);
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now, nbf: now, exp: now + LIFETIME_SECONDS };
    return forge(
      { ...published.header, ...header },
      { ...times, ...published.claims, ...claims },
      this.signing.privateKey,
    );
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  private get form(): PublishedForm {
    return JSON.parse(this.localized(JSON.stringify(this.original))) as PublishedForm;
  }

  private keySetAt(path: string): object | undefined {
    const keys = this.form.keySets[path];
    return (
      keys && {
        keys: keys.map((key, index) => ({ ...key, n: modulus(index === 0 ? this.signing : this.other) })),
      }
    );
  }
}

function newKeyPair() {
  return generateKeyPairSync('rsa', { modulusLength: 2048 });
}

function modulus({ publicKey }: { publicKey: KeyObject }): string {
  return publicKey.export({ format: 'jwk' }).n ?? '';
}
