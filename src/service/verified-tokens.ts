import { LRUCache } from 'lru-cache';
import { isSamePublicKey, type VerificationKey } from '../jwt/jwk.js';
import type { ReceivedHeader } from '../jwt/received-header.js';

/** The maximum length of a token, in characters: neither a longer one nor its header is kept. */
const MAX_LENGTH = 4096;
/** The number of characters at the end of a token, in its signature, that distinguish it from others. */
const FINGERPRINT_LENGTH = 10;
/** Few are needed: an issuer writes the same header into all of its tokens, apart from the `kid`. */
const MAX_HEADERS = 100;

type Keys = ReadonlyMap<string, VerificationKey>;

/** The checks of a token whose result cannot change: it is well-formed, and its signature is valid with this key. */
export interface VerifiedSignature {
  readonly header: ReceivedHeader;
  /** The payload as JSON. Each caller parses it, so that callers do not share the claims. */
  readonly payload: string;
  key: VerificationKey;
}

interface KeptToken {
  readonly token: string;
  readonly verified: VerifiedSignature;
}

/**
 * Keeps tokens whose signature was verified twice, by their exact text, and the headers of verified tokens. Tokens are kept only
 * the second time, because keeping one that never comes again costs more than it saves. Nothing of a token that did not verify is
 * kept, so that no forged token can displace a valid one. The caller has to check each time whether the token is still accepted.
 */
export class VerifiedTokens {
  /** By fingerprint, because hashing a whole token takes longer than comparing it. */
  private readonly tokens: LRUCache<number, KeptToken> | undefined;
  /** The fingerprints of the latest tokens, and of those before them: up to `max` each. */
  private seen = new Set<number>();
  private seenBefore = new Set<number>();
  private readonly headers = new LRUCache<string, ReceivedHeader>({ max: MAX_HEADERS });
  /** The header that was looked up last: the next token usually has the same. */
  private lastHeader: ReceivedHeader | undefined;
  private lastEncoded: string | undefined;
  /** The keys at the last call of `get`. */
  private keys: Keys = new Map();

  /** @param max the maximum number of tokens; 0 for none */
  constructor(private readonly max: number) {
    this.tokens = max > 0 ? new LRUCache({ max }) : undefined;
  }

  /**
   * @param keys those that verify now: a new map whenever they have changed
   * @returns undefined for a token that is not kept, or whose key is not among these
   */
  get(token: string, keys: Keys): VerifiedSignature | undefined {
    if (!this.tokens) return undefined;
    this.follow(keys);
    const kept = this.tokens.get(fingerprintOf(token));
    if (kept?.token !== token) return undefined;
    const { verified } = kept;
    const key = sameKeyIn(keys, verified.key);
    if (!key) return undefined;
    verified.key = key;
    return verified;
  }

  /** The header of a verified token with that encoding. */
  header(encoded: string): ReceivedHeader | undefined {
    if (encoded !== this.lastEncoded) {
      this.lastHeader = this.headers.get(encoded);
      this.lastEncoded = this.lastHeader && detached(encoded);
    }
    return this.lastHeader;
  }

  /**
   * @param encodedHeader the first part of the token
   * @param verified its key is trusted now, not only when the check of the signature began
   */
  add(token: string, encodedHeader: string, verified: VerifiedSignature): void {
    if (token.length > MAX_LENGTH) return;
    if (verified.header !== this.lastHeader && !this.headers.has(encodedHeader)) {
      this.headers.set(detached(encodedHeader), verified.header);
    }
    if (!this.tokens) return;
    const fingerprint = fingerprintOf(token);
    if (this.wasSeen(fingerprint)) this.tokens.set(fingerprint, { token: detached(token), verified });
  }

  /** Whether a token with that fingerprint was among the latest: one that comes less often would be evicted anyway. */
  private wasSeen(fingerprint: number): boolean {
    if (this.seen.has(fingerprint) || this.seenBefore.has(fingerprint)) return true;
    this.seen.add(fingerprint);
    if (this.seen.size < this.max) return false;
    this.seenBefore = this.seen;
    this.seen = new Set();
    return false;
  }

  /** Drops the tokens of keys that are gone. */
  private follow(keys: Keys): void {
    if (keys === this.keys) return;
    const isGone = [...this.keys.values()].some((key) => !sameKeyIn(keys, key));
    this.keys = keys;
    if (!isGone) return;
    for (const [fingerprint, { verified }] of this.tokens?.entries() ?? []) {
      if (!sameKeyIn(keys, verified.key)) this.tokens?.delete(fingerprint);
    }
  }
}

/** Compares the keys themselves, because each fetch makes new objects of the same keys. */
function sameKeyIn(keys: Keys, one: VerificationKey): VerificationKey | undefined {
  const key = keys.get(one.kid);
  return key && isSamePublicKey(key, one) ? key : undefined;
}

function fingerprintOf(token: string): number {
  let hash = 0;
  for (let at = token.length - FINGERPRINT_LENGTH; at < token.length; at += 1) {
    hash = (Math.imul(hash, 31) + token.charCodeAt(at)) | 0;
  }
  return hash;
}

/** A copy of the text: a substring keeps the whole string in memory. */
function detached(ascii: string): string {
  return Buffer.from(ascii, 'latin1').toString('latin1');
}
