import { KmsJwtOptionsError } from '../errors/errors.js';
import { isConstant } from '../options/constant-options.js';
import type { VerifyOptions } from '../options/kms-jwt.options.js';
import { OWN_ISSUER } from '../options/read-issuers.js';
import { readVerifyOptions } from '../options/read-options.js';
import type { VerifySettings } from '../options/settings.js';
import type { TrustSources } from './trust-sources.js';

/** Reads the options of calls of `verify`. Those of a route, which are always the same object, are read once. */
export class VerifyOptionsReader {
  private readonly known = new WeakMap<VerifyOptions, VerifySettings>();

  /**
   * @param defaults the module's
   * @param sources undefined without other issuers
   * @throws KmsJwtOptionsError if the defaults name an unknown issuer
   */
  constructor(
    private readonly defaults: VerifySettings,
    private readonly sources: Pick<TrustSources, 'names'> | undefined,
  ) {
    this.refuseUnknownIssuers(defaults);
  }

  /** @throws KmsJwtOptionsError for the first option that is unknown or of the wrong type */
  read(options: VerifyOptions | undefined): VerifySettings {
    if (options === undefined) return this.defaults;
    const known = this.known.get(options);
    if (known) return known;
    const settings = readVerifyOptions(options, this.defaults);
    this.refuseUnknownIssuers(settings);
    if (this.sources) settings.asked = readVerifyOptions(options, {});
    if (isConstant(options)) this.known.set(options, settings);
    return settings;
  }

  /** The names allowed in the option `issuers`; undefined if a function finds the issuers; without the module's `issuers`, only `own`. */
  get issuerNames(): readonly string[] | undefined {
    return this.sources ? this.sources.names : [OWN_ISSUER];
  }

  /** A mistyped name must not go unnoticed in an option that keeps tokens out. */
  private refuseUnknownIssuers({ issuers }: VerifySettings): void {
    const known = this.issuerNames;
    if (!issuers || !known || issuers.every((name) => known.includes(name))) return;
    const problem = `must be among the names in the module's issuers: ${known.join(', ')}`;
    throw new KmsJwtOptionsError('issuers', problem);
  }
}
