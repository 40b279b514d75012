import type { KMSClient } from '@aws-sdk/client-kms';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { LocalKms, type LocalKmsKeySpec } from '../local/index.js';
import { CLOCK } from '../keys/clock.js';
import type { KmsJwtModuleOptions } from '../options/kms-jwt.options.js';
import { getKmsJwtOptionsToken } from '../service/inject-kms-jwt.js';
import { TestClock } from './test-clock.js';

/** Options of `createKmsJwtTesting`. */
export interface KmsJwtTestingOptions {
  /** The time at which the clock starts. Default: the time of the call. */
  now?: Date;
  /** The key spec of the key, for another `algorithm` than ES256. Default: `'ECC_NIST_P256'`. */
  keySpec?: LocalKmsKeySpec;
}

/** A LocalKms, a clock, and the way to put both into an app. */
export interface KmsJwtTesting {
  /** It has one key with the alias `alias/auth`. A test can move that, or inject a fault. */
  readonly localKms: LocalKms;
  /** The time of the app, for all of its registrations of the module. */
  readonly clock: TestClock;
  /** The options that lead to the key, for `forRoot`. The app has its own clock unless `override` is used. */
  readonly options: { readonly keyId: string; readonly client: KMSClient };
  /**
   * Gives the app of a `Test.createTestingModule()` this clock, and these options instead of those of the registration without
   * a name. What its `forRootAsync` would call to get options is not called. The options of a registration with a name are at
   * `getKmsJwtOptionsToken(name)`.
   *
   * @param options as the app has them, without `regions`, `jwksUri` and `jwks`; `keyId` and `client` are replaced
   * @returns the builder
   *
   * @example
   * ```ts
   * const module = await kms.override(Test.createTestingModule({ imports: [AppModule] }), { signOptions }).compile();
   * ```
   */
  override<Builder extends ModuleBuilder>(builder: Builder, options?: KmsJwtModuleOptions): Builder;
}

/** As much of Nest's `TestingModuleBuilder` as `override` needs. */
export interface ModuleBuilder {
  /** Begins to replace the provider of a token. */
  overrideProvider(token: unknown): {
    /** Replaces it by a value. */
    useValue(value: unknown): unknown;
  };
}

const ALIAS = 'auth';

/**
 * A KMS and a clock for a test of an app with real tokens, without AWS: `sign` and `verify` do all that they do in
 * production, except that the test owns the time.
 *
 * @throws KmsJwtOptionsError for a `now` that is no valid Date
 * @throws Error if `NODE_ENV` is `production` or `prod`, in any case
 *
 * @example
 * ```ts
 * const kms = createKmsJwtTesting({ now: new Date('2026-01-01T12:00:00Z') });
 * const module = await kms.override(Test.createTestingModule({ imports: [AppModule] })).compile();
 * await module.init();
 * const token = await module.get(KmsJwtService).sign({ sub: 'user-42' }, { expiresIn: '15m' });
 * kms.clock.advance('15m');
 * await expect(module.get(KmsJwtService).verify(token)).rejects.toThrow(TokenExpiredError);
 * ```
 */
export function createKmsJwtTesting({ now, keySpec }: KmsJwtTestingOptions = {}): KmsJwtTesting {
  const start = now ?? new Date();
  if (!(start instanceof Date) || Number.isNaN(start.getTime())) {
    throw new KmsJwtOptionsError('now', 'must be a valid Date');
  }
  const clock = new TestClock(start);
  const localKms = new LocalKms({ keys: [{ alias: ALIAS, ...(keySpec && { keySpec }) }] });
  const options = { keyId: `alias/${ALIAS}`, client: localKms.client({ maxAttempts: 1 }) };
  return {
    localKms,
    clock,
    options,
    override(builder, ofApp = {}) {
      builder.overrideProvider(getKmsJwtOptionsToken()).useValue({ ...ofApp, ...options });
      builder.overrideProvider(CLOCK).useValue(clock);
      return builder;
    },
  };
}
