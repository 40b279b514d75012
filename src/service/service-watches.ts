import type { KmsJwtError } from '../errors/errors.js';
import { expiryOf } from '../jwt/claims.js';
import type { VerifyOptions } from '../options/kms-jwt.options.js';
import { expectedOf } from './expected-of-issuer.js';
import type { KmsJwtService } from './kms-jwt.service.js';
import type { WatchedClaims } from './token-watcher.js';
import type { TrustSource } from './trust-sources.js';

// Parts of KmsJwtService, which use its private members.

/** Implements `KmsJwtService.sourceOf`. */
export async function sourceOfToken(
  service: KmsJwtService,
  token: string,
  known: TrustSource | undefined,
): Promise<TrustSource | undefined> {
  const sources = service['sources'];
  if (known) return sources?.unlessEnded(known);
  // An overridden `authenticate` has accepted it by itself.
  const jws = sources && service.tryParse(token);
  return jws && sources.of(jws.payload.iss);
}

/**
 * Implements `KmsJwtService.watch`: reports once when a verified token ceases to be valid, according to `guard.endAtExpiry` and
 * `guard.recheckInterval`.
 *
 * @returns a function that ends the watch
 * @throws TokenExpiredError, TokenKeyUnknownError if the token has ceased to be valid since it was verified
 */
export function watchToken(
  service: KmsJwtService,
  verified: WatchedClaims,
  options: VerifyOptions | undefined,
  onInvalid: (error: KmsJwtError) => void,
): () => void {
  const { token, source } = verified;
  const verifier = service['verifier'];
  const secondsNow = service['secondsNow'];
  const jws = service.tryParse(token);
  const settings = service.verifyOptions.read(options);
  const isOurs = !service.hasIssuers || source !== undefined;
  return service['watcher'].watch(
    {
      kid: typeof jws?.header.kid === 'string' ? jws.header.kid : undefined,
      issuer: source?.issuer?.name,
      expiresAt: expiryOfToken(service, verified, options),
      recheck: async () => (jws && isOurs ? verifier.recheck(token, jws, settings, secondsNow) : undefined),
    },
    onInvalid,
  );
}

/** Implements `KmsJwtService.expiryOf`. */
export function expiryOfToken(
  service: KmsJwtService,
  { token, claims, source }: WatchedClaims,
  options: VerifyOptions | undefined,
): number {
  const settings = service.verifyOptions.read(options);
  // If the token is not a JWT, the `exp` in the app's claims may be of any type: then the token never expires here.
  const payload = service.tryParse(token)?.payload ?? claims;
  return expiryOf(payload, source ? expectedOf(source, settings) : settings);
}
