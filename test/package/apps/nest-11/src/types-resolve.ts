import type { JwtClaims, KmsJwtModuleOptions } from 'nestjs-kms-jwt';
import type { LocalKmsOptions } from 'nestjs-kms-jwt/local';

// Types that do not resolve are `any` in an app that is not strict, and `any` accepts everything.
// @ts-expect-error a number is not claims
export const claims: JwtClaims = 1;
// @ts-expect-error a number is not options
export const options: LocalKmsOptions = 1;
// The same for the types of the AWS SDK, which this app has installed.
// @ts-expect-error a number is not a Region
export const client: KmsJwtModuleOptions['client'] = { region: 1 };
