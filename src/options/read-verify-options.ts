import type { Expected } from '../jwt/claims.js';
import { canonicalType } from '../jwt/compact.js';
import type { VerifyOptions } from './kms-jwt.options.js';
import { toSeconds } from './option-rules.js';
import type { VerifySettings } from './settings.js';

/** Options that were checked. Lists and expressions are copied: what was checked must not change afterwards. */
export function toVerifySettings({
  audience,
  issuer,
  maxAge,
  typ,
  requiredClaims,
  issuers,
  ...rest
}: VerifyOptions): VerifySettings {
  return {
    ...rest,
    ...(requiredClaims !== undefined && { requiredClaims: [...requiredClaims] }),
    ...(issuers !== undefined && { issuers: [...issuers] }),
    ...(audience !== undefined && { audience: toExpectedList(audience) }),
    ...(issuer !== undefined && { issuer: toExpectedList(issuer) }),
    ...(maxAge !== undefined && { maxAge: toSeconds(maxAge) }),
    ...(typ !== undefined && { typ: canonicalType(typ) }),
  };
}

function toExpectedList(values: Expected | Expected[]): Expected[] {
  return [values].flat().map((value) => (typeof value === 'string' ? value : new RegExp(value)));
}
