import type { VerifySettings } from '../options/settings.js';
import type { TrustSource } from './trust-sources.js';

/** By the options of the call, then by source. Both are weak: an entry must keep neither in memory. */
const known = new WeakMap<VerifySettings, WeakMap<TrustSource, VerifySettings>>();

/**
 * The rules for a token of that source: those in the record of its issuer, and those that the call or the route adds.
 *
 * @param options the options of the call; for a token of the module's own keys, they are all the rules
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

/** The options of the call or the route add to the rules of the record, and replace none of them. */
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
