import { withDeadline, within } from '../async/deadline.js';
import { IssuerUnavailableError } from '../errors/errors.js';
import { printableName } from '../errors/printable.js';
import { redactedCause } from '../errors/redacted-cause.js';
import type { KmsJwtEvent } from '../events/kms-jwt.events.js';
import type { Log } from '../events/log.js';
import { keysIn } from '../jwt/jwk.js';
import { loadMlDsa } from '../jwt/ml-dsa.js';
import type { Clock } from '../keys/clock.js';
import { DiscoveryKeySource } from '../keys/discovery-key-source.js';
import { JwksKeySource } from '../keys/jwks-key-source.js';
import { KeyRing, type KeySource } from '../keys/key-ring.js';
import { readSnapshot } from '../keys/key-set-snapshot.js';
import { RingPersistence } from '../keys/ring-persistence.js';
import { TrustedKeys } from '../keys/trusted-keys.js';
import type { IssuerLookupFunction, IssuerOptions } from '../options/issuers.options.js';
import { isAllowedJwksUri, type IssuerSettings, OWN_ISSUER, readIssuer } from '../options/read-issuers.js';
import type { KmsJwtSettings } from '../options/settings.js';
import { FoundIssuers, type IssuerFinder, type IssuerSource } from '../service/found-issuers.js';
import type { KmsVerifier } from '../service/kms-verifier.js';
import { TokenVerifier } from '../service/token-verifier.js';
import { TrustSources } from '../service/trust-sources.js';

/** How far the clock may be behind that of the machine that made a snapshot. */
const MAX_CLOCK_DIFFERENCE_MS = 300_000;

/** What the sources of other issuers need. */
export interface IssuerSetup {
  readonly settings: KmsJwtSettings;
  readonly kmsVerifier: KmsVerifier;
  readonly emit: (event: KmsJwtEvent) => void;
  readonly log: Pick<Log, 'warn' | 'error'>;
  readonly clock: Clock;
}

/**
 * The sources of all tokens that a service accepts; undefined without the option `issuers`.
 *
 * @param own the keys and the verifier of the service's own tokens
 */
export async function openSources(
  setup: IssuerSetup,
  own: { ring: KeyRing; verifier: TokenVerifier },
): Promise<TrustSources | undefined> {
  const { settings } = setup;
  const { issuers, keyId, jwksUri, jwks, verify } = settings;
  if (!issuers) return undefined;
  const hasOwn = (keyId ?? jwksUri ?? jwks) !== undefined;
  const ownSource = hasOwn ? { ...own, name: OWN_ISSUER, issuer: undefined } : undefined;
  if (typeof issuers === 'function') {
    return new TrustSources(ownSource, verify.issuer, [], foundBy(issuers, setup));
  }
  const listed: IssuerSource[] = [];
  for (const issuer of issuers) listed.push(await openIssuer(issuer, setup, settings.cache));
  return new TrustSources(ownSource, verify.issuer, listed);
}

function foundBy(lookUp: IssuerLookupFunction, setup: IssuerSetup): FoundIssuers {
  const { limits, rotation } = setup.settings;
  const finder: IssuerFinder = {
    lookUp: (iss) => findIssuer(lookUp, iss, setup),
    // There may be many tenants, and each cache allocates all of its entries.
    open: (issuer) => openIssuer(issuer, setup, false),
    onFailure: ({ message }) =>
      setup.log.error(
        `Could not look up an issuer again; known issuers stay accepted until rotation.maxStale: ${message}`,
      ),
  };
  return new FoundIssuers(finder, { ...limits, ...rotation }, setup.clock);
}

/** Opens the source of one issuer. Its keys, refreshes and failures are separate from those of all others. */
async function openIssuer(
  issuer: IssuerSettings,
  { settings, kmsVerifier, emit: emitAll, log, clock }: IssuerSetup,
  cache: KmsJwtSettings['cache'],
): Promise<IssuerSource> {
  const { rotation, limits } = settings;
  const { name, algorithms } = issuer;
  if (algorithms.some(({ messageType }) => messageType === 'EXTERNAL_MU')) await loadMlDsa();
  warnIfInsecure(issuer, log);
  // All issuers share the clock of the machine: its step is one line of the log, however many there are.
  const emit = (event: KmsJwtEvent) =>
    emitAll(event.type === 'clock_stepped' ? event : { ...event, issuer: name });
  // No store: the keys can be fetched from the issuer again.
  const binding = { instance: name, source: issuer.issuer };
  const persistence = new RingPersistence(undefined, binding, limits.timeout, emit);
  const keys = new TrustedKeys(persistence, { ...rotation, algorithms }, emit, clock);
  const source = keySourceOf(issuer, settings, clock);
  const ring = new KeyRing(source, keys, emit, clock);
  if (source instanceof JwksKeySource) await restoreSnapshot(issuer, source, ring, { log, clock });
  const verifier = new TokenVerifier(ring, { ...settings, ...limits, cache }, kmsVerifier);
  const end = async () => {
    const stopped = ring.stop();
    keys.removeAll();
    await stopped;
  };
  return { name, issuer, ring, verifier, end };
}

function keySourceOf(issuer: IssuerSettings, { rotation, limits }: KmsJwtSettings, clock: Clock): KeySource {
  const { keys, algorithms } = issuer;
  const settings = { ...rotation, algorithms, timeout: limits.timeout };
  if ('jwks' in keys) return { load: async () => ({ others: keysIn(keys.jwks, algorithms) }) };
  if ('jwksUri' in keys) return new JwksKeySource(keys.jwksUri, settings, clock);
  const isAllowed = (uri: unknown): uri is string => isAllowedJwksUri(uri, issuer);
  return new DiscoveryKeySource(issuer.issuer, { ...settings, isAllowed }, clock);
}

/** Keys of a snapshot verify at once, unless they are too old or from the future: then the first token waits for a fetch. */
async function restoreSnapshot(
  { name, keys, algorithms }: IssuerSettings,
  source: JwksKeySource,
  ring: KeyRing,
  { log, clock }: Pick<IssuerSetup, 'log' | 'clock'>,
): Promise<void> {
  if (!('jwksUri' in keys) || keys.snapshot === undefined) return;
  const snapshot = await readSnapshot(keys.snapshot, algorithms, 'issuers.keys.snapshot');
  const age = clock.now() - snapshot.fetchedAt;
  const problem = problemOf(age, source.maxStale);
  if (!problem) return ring.restore(source.restore(snapshot.keys), Math.max(0, age));
  log.warn(`The snapshot of the issuer ${printableName(name)} ${problem}: it is not used`);
}

/** Why keys that were fetched `age` milliseconds ago are not used; undefined if they are. */
function problemOf(age: number, maxStale: number): string | undefined {
  if (age >= maxStale * 1000) return 'is older than rotation.maxStale';
  // With a wrong clock, here or where the snapshot was made, its keys would count as new at each start.
  if (age < -MAX_CLOCK_DIFFERENCE_MS) return 'has a fetchedAt in the future';
  return undefined;
}

function warnIfInsecure({ name, allowInsecureHttp }: IssuerSettings, log: Pick<Log, 'warn'>): void {
  if (!allowInsecureHttp) return;
  log.warn(
    `The issuer ${printableName(name)} has allowInsecureHttp: anybody between it and this service can supply its keys`,
  );
}

/** Asks the app for an issuer, within the time limit. */
async function findIssuer(
  lookUp: IssuerLookupFunction,
  iss: string,
  { settings: { limits, verify }, log }: Pick<IssuerSetup, 'settings' | 'log'>,
): Promise<IssuerSettings | undefined> {
  const options = await ask(lookUp, iss, limits.timeout);
  if (options === undefined || options === null) return undefined;
  const issuer = readIssuer('issuers()', options, verify.clockTolerance);
  if (issuer.issuer === iss) return issuer;
  log.error(
    'The function issuers returned a different issuer than the requested one, whose tokens are refused: compare iss exactly',
  );
  return undefined;
}

async function ask(
  lookUp: IssuerLookupFunction,
  iss: string,
  timeout: number,
): Promise<IssuerOptions | undefined> {
  const timeoutError = (blockedMs: number) =>
    new IssuerUnavailableError(`The function issuers did not answer ${within(timeout, blockedMs)}`);
  try {
    return await withDeadline(async () => lookUp(iss), timeout, timeoutError);
  } catch (error) {
    if (error instanceof IssuerUnavailableError) throw error;
    const cause = redactedCause(error, 'Omitted, as it may quote the issuer');
    throw new IssuerUnavailableError('The function issuers failed', { cause });
  }
}
