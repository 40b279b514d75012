import { codeOf, nameOf, redactedCause } from '../errors/redacted-cause.js';

/** Why a URL could not be fetched and read. */
export interface FetchFailure {
  /** A clause about the URL: what happened, and what to do. */
  readonly problem: string;
  readonly cause: Error | undefined;
}

/** By the codes of Node, OpenSSL and undici; the first that matches counts. */
const PROBLEMS: readonly (readonly [code: RegExp, problem: string])[] = [
  [/^ECONNREFUSED$/, 'the connection was refused; check its host and port'],
  [/^(?:ENOTFOUND|EAI_\w+)$/, 'its host name does not resolve; check the name, and DNS'],
  [
    /^(?:ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT)$/,
    'its host cannot be reached; check routes and firewalls',
  ],
  [/^(?:ECONNRESET|EPIPE|UND_ERR_SOCKET)$/, 'the connection was closed; check proxies and the issuer'],
  [/^(?:ERR_SSL|EPROTO)/, 'the TLS handshake failed; check its port, and whether it serves https'],
  [
    /CERT|SIGNATURE|ISSUER|ERR_TLS/,
    'its TLS certificate is not trusted; check the certificate, or set NODE_EXTRA_CA_CERTS to that of its authority',
  ],
  [/^UND_ERR_HEADERS_OVERFLOW$/, 'the headers of its answer are too long'],
];

/** Describes the error that `fetch`, or reading the body, rejected with. */
export function fetchFailureOf(error: unknown): FetchFailure {
  const cause = causeFrom(error);
  const code = cause && codeOf(cause);
  if (error instanceof SyntaxError) return { problem: 'its answer is not JSON; check the path', cause };
  const known = PROBLEMS.find(([pattern]) => code !== undefined && pattern.test(code))?.[1];
  const kind = code ?? (cause ? nameOf(cause) : typeof error);
  return { problem: `${known ?? 'it could not be fetched and read'} (${kind})`, cause };
}

/** The error of `fetch` itself has no code: the network error in its `cause` has one. */
function causeFrom(error: unknown): Error | undefined {
  const copy = redactedCause(error, 'Omitted, as it may quote the URL or the key set');
  const inner = error instanceof Error && error.cause instanceof Error ? codeOf(error.cause) : undefined;
  return copy && Object.assign(copy, codeOf(copy) === undefined && inner !== undefined && { code: inner });
}
