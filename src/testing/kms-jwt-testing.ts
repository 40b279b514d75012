import type { KMSClient } from '@aws-sdk/client-kms';
import { KmsJwtOptionsError } from '../errors/errors.js';
import { LocalKms, type LocalKmsKeySpec } from '../local/index.js';
import { CLOCK } from '../keys/clock.js';
import type { KmsJwtModuleOptions } from '../options/kms-jwt.options.js';
import { EXTRA_RULES } from '../options/option-rules.js';
import { getKmsJwtOptionsToken } from '../service/inject-kms-jwt.js';
import { TestClock } from './test-clock.js';
import { refuseInProduction, warnOutsideTests } from './tests-only.js';

/** Options of `createKmsJwtTesting`. */
export interface KmsJwtTestingOptions {
  /** The time at which the clock starts. Default: the time of the call. */
  now?: Date;
  /** The key spec of the key, for an `algorithm` other than ES256. Default: `'ECC_NIST_P256'`. */
  keySpec?: LocalKmsKeySpec;
}

/** A LocalKms, a clock, and the way to put both into an app. */
export interface KmsJwtTesting {
  /** Has one key, with the alias `alias/auth`. A test can move the alias, or inject a fault. */
  readonly localKms: LocalKms;
  /** The clock of the app, for all of its registrations of the module. */
  readonly clock: TestClock;
  /** Options for `forRoot` that select the key. Without `override`, the app uses the clock of the system. */
  readonly options: { readonly keyId: string; readonly client: KMSClient };
  /**
   * Gives the app of a `Test.createTestingModule()` this clock, and replaces the options of the registration without a name. The
   * factory of its `forRootAsync` is not called. For a registration with a name, override the provider `getKmsJwtOptionsToken(name)`.
   *
   * @param options the options of the app, without `regions`, `jwksUri` and `jwks`; `keyId` and `client` are replaced, and
   * `isGlobal`, `name`, `jwksPath` and `discovery` are ignored. Default: none
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
    /** Replaces it with a value. */
    useValue(value: unknown): unknown;
  };
}

const ALIAS = 'auth';

/** Nest has read `isGlobal`, `name`, `jwksPath` and `discovery` from the app; they cannot be overridden. */
function withoutExtras(options: KmsJwtModuleOptions): KmsJwtModuleOptions {
  return Object.fromEntries(Object.entries(options).filter(([name]) => !Object.hasOwn(EXTRA_RULES, name)));
}

/**
 * Creates a KMS and a clock, to test an app with real tokens and without AWS: `sign` and `verify` work as in production, except
 * that the test controls the time. A warning is logged unless `NODE_ENV` is `test`, as Vitest and Jest set it.
 *
 * @param options the time at which the clock starts, and the spec of the key
 * @throws KmsJwtOptionsError for a `now` that is not a valid Date, and if `NODE_ENV` is `production` or `prod`, in upper or lower
 * case
 * @throws TypeError for an unknown `keySpec`
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
  refuseInProduction('createKmsJwtTesting');
  warnOutsideTests('createKmsJwtTesting', 'its key is not in AWS');
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
      builder.overrideProvider(getKmsJwtOptionsToken()).useValue({ ...withoutExtras(ofApp), ...options });
      builder.overrideProvider(CLOCK).useValue(clock);
      return builder;
    },
  };
}
