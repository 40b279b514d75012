import type { LocalKmsFault } from 'nestjs-kms-jwt/local';

export interface Fault {
  name: string;
  /** The statuses that logins may have; the last one must occur, which proves that the fault was active. */
  logins: readonly string[];
  /** A line that the service must log, which proves that it met this fault. */
  log: RegExp;
  /** The least share of 200 among the logins that were sent while KMS was up. */
  good?: number;
  /** A fault of the network: a backend of haproxy.cfg. */
  network?: string;
  /** A fault of KMS itself. */
  kms?: LocalKmsFault;
  /** KMS is killed and restarted under load. */
  restart?: true;
}

const REFUSED = ['503 with Retry-After'];
const MIXED = ['200', ...REFUSED];

const DENIED =
  'User: arn:aws:sts::111122223333:assumed-role/app/i-1 is not authorized to perform: kms:Sign on this resource because no identity-based policy allows the kms:Sign action';
const EXPIRED = 'The security token included in the request is expired';

const THROTTLED = /KMS throttled Sign .*\(ThrottlingException/;
const HTML = /KMS failed at Sign .*\(SyntaxError/;
const UNANSWERED = /KMS did not answer/;

const FAULTS: readonly Fault[] = [
  { name: 'throttled-twice', logins: MIXED, log: THROTTLED, good: 0.01, network: 'throttled-twice' },
  { name: 'throttled-half', logins: MIXED, log: THROTTLED, good: 0.3, network: 'throttled-half' },
  { name: 'throttled-always', logins: REFUSED, log: THROTTLED, network: 'throttled-always' },
  {
    name: 'failure',
    logins: REFUSED,
    log: /KMS failed at Sign .*\(KMSInternalException/,
    kms: { kind: 'error', name: 'KMSInternalException', status: 500 },
  },
  { name: 'html-503', logins: REFUSED, log: HTML, network: 'down' },
  {
    name: 'denied',
    logins: REFUSED,
    log: /AWS denied Sign .*\(AccessDeniedException/,
    kms: { kind: 'error', name: 'AccessDeniedException', message: DENIED },
  },
  {
    name: 'expired',
    logins: REFUSED,
    log: /The AWS credentials for Sign .* are missing or not valid \(ExpiredTokenException/,
    kms: { kind: 'error', name: 'ExpiredTokenException', message: EXPIRED },
  },
  { name: 'silent', logins: REFUSED, log: UNANSWERED, network: 'silent' },
  // The delay equals the deadline, so a call may succeed.
  { name: '3s-late', logins: MIXED, log: UNANSWERED, network: '3s-late' },
  // 50 concurrent calls are 50 a second: half of the load.
  { name: '1s-late', logins: MIXED, log: /maxConcurrency \(\d+\)/, good: 0.35, network: '1s-late' },
  { name: 'reset', logins: REFUSED, log: /KMS could not be reached .*\(ECONNRESET/, network: 'reset' },
  { name: 'corrupted', logins: REFUSED, log: /A token was withheld/, kms: { kind: 'corruptSignature' } },
  // While KMS is down, HAProxy answers with its own HTML page.
  { name: 'restart', logins: MIXED, log: HTML, good: 0.9, restart: true },
];

/** All faults, or those in `FAULTS=name,name`. */
export function chosenFaults(names = process.env['FAULTS']): readonly Fault[] {
  if (!names) return FAULTS;
  return names.split(',').map((name) => {
    const fault = FAULTS.find((each) => each.name === name);
    if (fault) return fault;
    throw new Error(`FAULTS: ${name} is not one of ${FAULTS.map((each) => each.name).join(', ')}`);
  });
}
