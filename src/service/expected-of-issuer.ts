import type { VerifySettings } from '../options/settings.js';
import type { TrustSource } from './trust-sources.js';

/** By the options of the call, then by source: neither may outlive the other. */
const known = new WeakMap<VerifySettings, WeakMap<TrustSource, VerifySettings>>();

/**
 * What a token of that source has to be: what the record of its issuer says, and what the call or the route asks besides.
 *
 * @param options of the call; a token of the module's own keys has to be what they say
 */
export function expectedOf(source: TrustSource, options: VerifySettings): VerifySettings {
  const record = source.issuer?.expect;
  if (!record) return options;
  const bySource = known.get(options) ?? new WeakMap<TrustSource, VerifySettings>();
  known.set(options, bySource);
  const expected = bySource.get(source) ?? narrowed(record, options.asked ?? {});
  bySource.set(source, expected);
  return expected;
}

/** One record is one decision: what else is asked for is added to it, and replaces no part of it. */
function narrowed(record: VerifySettings, asked: VerifySettings): VerifySettings {
  const { issuer, audience, requiredClaims, typ = record.typ, ...others } = asked;
  return {
    ...record,
    ...others,
    ...(typ !== undefined && { typ }),
    requiredClaims: [...(record.requiredClaims ?? []), ...(requiredClaims ?? [])],
    claims: [
      ...(record.claims ?? []),
      ...(issuer ? [['iss', issuer] as const] : []),
      ...(audience ? [['aud', audience] as const] : []),
    ],
  };
}
