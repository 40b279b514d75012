import type { KmsJwtService } from 'nestjs-kms-jwt';
import { random, SECONDS, USERS } from './run.js';

export const SCOPE = 'orders:read';

export type TokenKind = 'good' | 'unscoped' | 'expiring' | 'revocable' | 'revoked';

/** Times in milliseconds since 1970; Infinity for never. */
export interface Token {
  readonly kind: TokenKind;
  readonly value: string;
  readonly sub: string;
  readonly jti: string;
  readonly hasScope: boolean;
  readonly expiresAt: number;
  readonly revokedAt: number;
}

export interface User {
  readonly sub: string;
  readonly tokens: readonly Token[];
}

/** The number of tokens of each kind per user. */
const TOKENS: Record<TokenKind, number> = {
  good: 2,
  unscoped: 1,
  // One of them ends every few seconds, while in use.
  expiring: Math.max(4, Math.round(SECONDS / 5)),
  revocable: Math.max(2, Math.round(SECONDS / 10)),
  revoked: 1,
};

/** The weight of each kind of token in calls. */
const WEIGHTS: Record<TokenKind | 'missing', number> = {
  good: 45,
  unscoped: 12,
  expiring: 15,
  revocable: 12,
  revoked: 8,
  missing: 8,
};

const tokens = new Map<string, Token>();

/** The result of `isRevoked`, synchronous or delayed. */
export function isRevoked({ jti }: { jti?: string }): boolean | Promise<boolean> {
  const answer = () => (tokens.get(jti ?? '')?.revokedAt ?? Infinity) <= Date.now();
  return random.chance(0.2) ? answer() : random.linger(300).then(answer);
}

/** Signs the tokens of all users, a few at once, with expiry times across the run. */
export async function signTokens(jwt: KmsJwtService, prefix: string): Promise<User[]> {
  const users: User[] = [];
  for (let number = 0; number < USERS; number += 1) {
    const sub = `${prefix}-${number}`;
    const kinds = Object.entries(TOKENS).flatMap(([kind, count]) =>
      Array.from({ length: count }, (_, index) => ({
        kind: kind as TokenKind,
        jti: `${sub}-${kind}-${index}`,
      })),
    );
    users.push({
      sub,
      tokens: await Promise.all(kinds.map(({ kind, jti }) => signToken(jwt, kind, sub, jti))),
    });
  }
  return users;
}

async function signToken(jwt: KmsJwtService, kind: TokenKind, sub: string, jti: string): Promise<Token> {
  const hasScope = kind !== 'unscoped';
  const exp = Math.floor(momentOfRun() / 1000);
  const value = await jwt.sign(
    { sub, jti, ...(hasScope && { scope: SCOPE }), ...(kind === 'expiring' && { exp }) },
    kind === 'expiring' ? {} : { expiresIn: '1h' },
  );
  const token = {
    kind,
    value,
    sub,
    jti,
    hasScope,
    expiresAt: kind === 'expiring' ? exp * 1000 : Infinity,
    revokedAt: { revoked: 0, revocable: momentOfRun() }[kind as string] ?? Infinity,
  };
  tokens.set(jti, token);
  return token;
}

function momentOfRun(): number {
  return Date.now() + 1000 * (1 + random.next() * SECONDS);
}

/** One of the user's tokens, or none. */
export function pickToken({ tokens: own }: User): Token | undefined {
  const wanted = random.weighted(WEIGHTS);
  if (wanted === 'missing') return undefined;
  const candidates = own.filter(({ kind }) => kind === wanted);
  // The next token to end is chosen more often than the others, and ended ones less often.
  const valid = candidates.filter((token) => validityOf(token, Date.now()) === 'admitted');
  if (valid.length === 0 || random.chance(0.3)) return random.pick(candidates);
  return random.chance(0.5)
    ? valid.toSorted((one, other) => endOf(one) - endOf(other))[0]
    : random.pick(valid);
}

/** A token that is valid until the end of the run. */
export function goodToken({ tokens: own }: User): Token {
  return random.pick(own.filter(({ kind }) => kind === 'good'));
}

export type Verdict = 'admitted' | 'refused' | 'either';

/** The outcome until now of an otherwise valid call with this token that was sent at that time. */
export function validityOf(token: Token, sentAt: number): Verdict {
  const endsAt = endOf(token);
  if (sentAt >= endsAt) return 'refused';
  return Date.now() < endsAt ? 'admitted' : 'either';
}

function endOf({ expiresAt, revokedAt }: Token): number {
  return Math.min(expiresAt, revokedAt);
}
