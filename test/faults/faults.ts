import type { LocalKmsFault } from 'nestjs-kms-jwt/local';

export interface Fault {
  name: string;
  /** What logins may be answered meanwhile; the last of these must be among the answers, to show that the fault was there. */
  logins: readonly string[];
  /** Which part of the logins must be answered 200 all the same. */
  good?: number;
  /** What the network does: a backend of haproxy.cfg. */
  network?: string;
  /** What KMS itself does. */
  kms?: LocalKmsFault;
  /** KMS is killed, and starts again, in the middle. */
  restart?: true;
}

const REFUSED = ['503 with Retry-After'];
const MIXED = ['200', ...REFUSED];

const DENIED =
  'User: arn:aws:sts::111122223333:assumed-role/app/i-1 is not authorized to perform: kms:Sign on this resource because no identity-based policy allows the kms:Sign action';
const EXPIRED = 'The security token included in the request is expired';

const FAULTS: readonly Fault[] = [
  { name: 'throttled-twice', logins: MIXED, good: 0.01, network: 'throttled-twice' },
  { name: 'throttled-half', logins: MIXED, good: 0.3, network: 'throttled-half' },
  { name: 'throttled-always', logins: REFUSED, network: 'throttled-always' },
  { name: 'failure', logins: REFUSED, kms: { kind: 'error', name: 'KMSInternalException', status: 500 } },
  { name: 'html-503', logins: REFUSED, network: 'down' },
  { name: 'denied', logins: REFUSED, kms: { kind: 'error', name: 'AccessDeniedException', message: DENIED } },
  {
    name: 'expired',
    logins: REFUSED,
    kms: { kind: 'error', name: 'ExpiredTokenException', message: EXPIRED },
  },
  { name: 'silent', logins: REFUSED, network: 'silent' },
  // As long as the deadline: a call may come through.
  { name: '3s-late', logins: MIXED, network: '3s-late' },
  // 50 calls at a time are 50 a second: half of those that are asked for.
  { name: '1s-late', logins: MIXED, good: 0.35, network: '1s-late' },
  { name: 'reset', logins: REFUSED, network: 'reset' },
  { name: 'corrupted', logins: REFUSED, kms: { kind: 'corruptSignature' } },
  { name: 'restart', logins: MIXED, good: 0.5, restart: true },
];

/** All, or those that `FAULTS=name,name` names. */
export function chosenFaults(names = process.env['FAULTS']): readonly Fault[] {
  if (!names) return FAULTS;
  return names.split(',').map((name) => {
    const fault = FAULTS.find((each) => each.name === name);
    if (fault) return fault;
    throw new Error(`FAULTS: ${name} is none of ${FAULTS.map((each) => each.name).join(', ')}`);
  });
}
