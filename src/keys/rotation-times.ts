import { ASSUMED_LIFETIME_SECONDS, KMS_PROPAGATION_SECONDS, REFRESH_JITTER } from '../options/defaults.js';
import type { Algorithm } from '../jwt/algorithms.js';
import type { RotationSettings } from '../options/settings.js';
import type { RotationTimes } from './rotation.js';

/** The options that decide how long the phases of a rotation last. Durations are seconds. */
export interface RotationTimesSettings extends Pick<
  RotationSettings,
  'activationDelay' | 'retireAfter' | 'refreshInterval'
> {
  /** The lifetime of the tokens that are signed here, unless a call of `sign` overrides it; undefined if they do not expire. */
  readonly expiresIn?: number | undefined;
  /** For how long a token is accepted after it has expired. */
  readonly clockTolerance?: number | undefined;
}

/** The options that decide which keys are trusted. */
export interface TrustSettings extends RotationTimesSettings, Pick<RotationSettings, 'distrustedKeys'> {
  /** Keys of other algorithms are not restored. */
  readonly algorithms: readonly Algorithm[];
}

/**
 * By default, a key retires when the longest-lived token that was signed here has expired. Tokens that were only verified do not
 * count: an attacker with a stolen key could present one that is valid for ten years.
 *
 * @param longestLifetime the longest lifetime of a token that was signed here, in seconds
 * @param isWatched whether the alias is looked up again; without an alias there are no moves to wait for
 */
export function rotationTimes(
  settings: RotationTimesSettings,
  longestLifetime: number | undefined,
  isWatched: boolean,
): RotationTimes {
  const { activationDelay, refreshInterval, clockTolerance = 0 } = settings;
  const { expiresIn = ASSUMED_LIFETIME_SECONDS } = settings;
  const { retireAfter = Math.max(expiresIn, longestLifetime ?? 0) } = settings;
  return {
    activationDelay: activationDelay * 1000,
    lookupInterval: isWatched ? refreshInterval * (1 + REFRESH_JITTER) * 1000 : 0,
    propagation: isWatched ? KMS_PROPAGATION_SECONDS * 1000 : 0,
    retireAfter: (retireAfter + clockTolerance) * 1000,
  };
}
