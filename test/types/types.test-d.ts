// Checked by `tsc` and never run: everything compiles, except the lines below @ts-expect-error.
import { Controller, Get } from '@nestjs/common';
import {
  type AnyKmsJwtError,
  Claims,
  type CompleteJwt,
  type JwtClaims,
  type KmsJwtError,
  type KmsJwtErrorCode,
  KmsJwtModule,
  type KmsJwtService,
  type KmsUnavailableReason,
  OptionalAuth,
  Scopes,
  type TokenClaimError,
  VerifyWith,
} from 'nestjs-kms-jwt';
import { ExtractJwt } from 'passport-jwt';
import { expectTypeOf } from 'vitest';
import { z } from 'zod';

interface AccessToken {
  tenant: string;
  roles: string[];
}

declare const jwt: KmsJwtService;
declare const token: string;

const schema = z.object({ sub: z.string(), level: z.string().transform(Number) });

export async function verifyReturnsTheTypeOfTheSchema(): Promise<void> {
  const claims = await jwt.verify(token, { schema });
  expectTypeOf(claims).toEqualTypeOf<{ sub: string; level: number }>();

  const complete = await jwt.verify(token, { schema, complete: true, audience: 'orders' });
  expectTypeOf(complete).toEqualTypeOf<CompleteJwt<{ sub: string; level: number }>>();

  // @ts-expect-error the schema has no tenant
  void claims.tenant;
}

export async function verifyWithoutSchemaReturnsTheRegisteredClaimsAndThoseOfTheApp(): Promise<void> {
  expectTypeOf(await jwt.verify(token)).branded.toEqualTypeOf<JwtClaims>();
  const claims = await jwt.verify<AccessToken>(token);
  expectTypeOf(claims.tenant).toEqualTypeOf<string>();
  expectTypeOf(claims.sub).toEqualTypeOf<string | undefined>();
  expectTypeOf((await jwt.verify(token, { complete: true })).payload.exp).toEqualTypeOf<number | undefined>();
}

@Controller()
export class ClaimsAcceptsNamesOfItsType {
  @Get() read(
    @Claims() _all: JwtClaims,
    @Claims('sub') _sub: string,
    @Claims<AccessToken>() _own: AccessToken,
    @Claims<AccessToken>('tenant') _tenant: string,
    // @ts-expect-error not a claim of AccessToken
    @Claims<AccessToken>('tennant') _typo: string,
    // @ts-expect-error not a string
    @Claims(1) _number: string,
  ): void {}
}

export class DecoratorsAcceptOnlyTheirOptions {
  @VerifyWith({ audience: 'orders', maxAge: '5m', schema, requiredClaims: ['sub'] }) right(): void {}
  @VerifyWith({ verification: 'kms' }) byKms(): void {}
  // @ts-expect-error no such option
  @VerifyWith({ audiance: 'orders' }) typo(): void {}
  // @ts-expect-error a guard cannot return the header
  @VerifyWith({ complete: true }) complete(): void {}
  // @ts-expect-error a fixed time would be wrong from the second call on
  @VerifyWith({ clockTimestamp: 1 }) clock(): void {}
  // @ts-expect-error an empty list of scopes would admit everyone
  @Scopes() noScope(): void {}
  // @ts-expect-error takes no arguments
  @OptionalAuth('yes') optional(): void {}
}

export async function methodsAcceptOnlyTheirOptions(): Promise<void> {
  await jwt.sign({ sub: 'user-42' }, { expiresIn: '15m', audience: ['orders'] });
  // @ts-expect-error no such option of sign
  await jwt.sign({}, { expiredIn: '15m' });
  // @ts-expect-error an option of verify
  await jwt.sign({}, { maxAge: '15m' });
  // @ts-expect-error no such option of verify
  await jwt.verify(token, { audiance: 'orders' });
  // @ts-expect-error no such option with a schema either
  await jwt.verify(token, { schema, audiance: 'orders' });
  // @ts-expect-error an option of sign
  await jwt.verify(token, { expiresIn: '15m' });
  // @ts-expect-error not a schema
  await jwt.verify(token, { schema: { sub: 'string' } });
}

export function errorsNarrowByTheirCode(error: AnyKmsJwtError): void {
  expectTypeOf<AnyKmsJwtError['code']>().toEqualTypeOf<KmsJwtErrorCode>();
  expectTypeOf<AnyKmsJwtError>().toExtend<KmsJwtError>();
  if (error.code === 'token_claim_invalid') {
    expectTypeOf(error).toEqualTypeOf<TokenClaimError>();
    expectTypeOf(error.reason).toEqualTypeOf<'missing' | 'mismatch' | 'type' | 'schema' | 'unsupported'>();
  }
  if (error.code === 'kms_unavailable') expectTypeOf(error.reason).toEqualTypeOf<KmsUnavailableReason>();
  if (error.code === 'token_expired') expectTypeOf(error.expiredAt).toEqualTypeOf<Date>();
  if (error.code === 'insufficient_scope') expectTypeOf(error.scopes).toEqualTypeOf<readonly string[]>();
  if (error.code === 'options_invalid') expectTypeOf(error.option).toEqualTypeOf<string>();
  // @ts-expect-error not an error code
  void (error.code === 'token_invalid');
}

export const modules = [
  KmsJwtModule.forRoot('alias/auth'),
  KmsJwtModule.forRoot({ keyId: 'alias/auth', guard: { tokenFrom: ExtractJwt.fromHeader('x-token') } }),
  KmsJwtModule.forRoot({ keyId: 'alias/auth', isRevoked: ({ jti }, { kid }) => jti === kid }),
  KmsJwtModule.forRoot({ keyId: 'alias/auth', isRevoked: async () => false, guard: { property: 'auth' } }),
  KmsJwtModule.forRoot({ keyId: 'alias/auth', verification: 'kms' }),
  // @ts-expect-error neither 'local' nor 'kms'
  KmsJwtModule.forRoot({ keyId: 'alias/auth', verification: 'remote' }),
  // @ts-expect-error an option of the module only
  KmsJwtModule.forRoot({ keyId: 'alias/auth', verifyOptions: { verification: 'kms' } }),
  // @ts-expect-error no such option
  KmsJwtModule.forRoot({ keyID: 'alias/auth' }),
  // @ts-expect-error no such option next to a valid one
  KmsJwtModule.forRoot({ keyId: 'alias/auth', tokensFrom: ExtractJwt.fromHeader('x-token') }),
  // @ts-expect-error no such option in a group
  KmsJwtModule.forRoot({ keyId: 'alias/auth', limits: { timeOut: 1000 } }),
  // @ts-expect-error an option that has moved into `rotation`
  KmsJwtModule.forRoot({ keyId: 'alias/auth', ringStore: undefined }),
  // @ts-expect-error no such option of signOptions
  KmsJwtModule.forRoot({ keyId: 'alias/auth', signOptions: { expiredIn: '15m' } }),
  // @ts-expect-error no such option of verifyOptions
  KmsJwtModule.forRoot({ keyId: 'alias/auth', verifyOptions: { audiance: 'orders' } }),
  // @ts-expect-error neither true nor false
  KmsJwtModule.forRoot({ keyId: 'alias/auth', isRevoked: () => 'no' }),
];
