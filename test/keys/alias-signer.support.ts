import type { KmsJwtEvent, KmsJwtRingStore } from 'nestjs-kms-jwt';
import { ES256 } from '../../src/jwt/algorithms.js';
import { AliasSigner } from '../../src/keys/alias-signer.js';
import { KeyRing } from '../../src/keys/key-ring.js';
import { RingPersistence } from '../../src/keys/ring-persistence.js';
import type { SigningKey } from '../../src/keys/signing-key.js';
import { TrustedKeys } from '../../src/keys/trusted-keys.js';
import { Machine, SimulatedTime } from '../fleet/time.js';
import { A, BINDING } from './support.js';

export const ALIAS = 'alias/auth';

/** An instance, and a KMS whose two operations fail independently. */
export function newInstance({
  store,
  requestAlias = false,
  distrustedKeys = [],
  machine = new Machine(new SimulatedTime(), 0, 0),
}: { store?: KmsJwtRingStore; requestAlias?: boolean; distrustedKeys?: string[]; machine?: Machine } = {}) {
  /** Lets so many seconds pass. */
  const pass = (seconds: number) => machine.time.runUntil(machine.time.now + seconds * 1000);
  const kms = {
    target: A,
    /** The error of GetPublicKey. */
    lookupError: undefined as Error | undefined,
    /** The error of Sign with this KeyId. */
    signError: (() => undefined) as (name: string) => Error | undefined,
    lookups: 0,
    /** The KeyId of each Sign request. */
    signed: [] as string[],
  };
  const load = async () => {
    kms.lookups += 1;
    if (kms.lookupError) throw kms.lookupError;
    return { signing: kms.target, others: [], freshFor: 300 };
  };
  const events: KmsJwtEvent[] = [];
  const emit = (event: KmsJwtEvent) => void events.push(event);
  const settings = {
    activationDelay: 990,
    refreshInterval: 300,
    retireAfter: 900,
    distrustedKeys,
    algorithms: [ES256],
  };
  const keys = new TrustedKeys(new RingPersistence(store, BINDING, 1000, emit), settings, emit, machine);
  const ring = new KeyRing({ load }, keys, emit, machine, () => 0);
  const signer = new AliasSigner(ring, keys, { keyId: ALIAS, requestAlias }, emit);
  const send = async (_: SigningKey, keyId: string) => {
    kms.signed.push(keyId);
    const error = kms.signError(keyId);
    if (error) throw error;
    return { keyArn: keyId === ALIAS ? kms.target.keyArn : keyId };
  };
  /** @returns the `kid` of the key that signs, or the reason why none does */
  const sign = async (): Promise<string> =>
    signer.sign(send).then(
      ({ key }) => key.kid,
      (error: Error & { reason?: string }) => error.reason ?? error.name,
    );
  /** Signs every ten seconds. @returns each change of the result, with the number of seconds until then */
  const signFor = async (seconds: number): Promise<[after: number, result: string][]> => {
    const changes: [number, string][] = [];
    for (let after = 10; after <= seconds; after += 10) {
      await pass(10);
      const result = await sign();
      if (changes.at(-1)?.[1] !== result) changes.push([after, result]);
    }
    return changes;
  };
  const typesOf = () => events.map(({ type }) => type);
  return { machine, pass, kms, keys, ring, sign, signFor, events, typesOf };
}
