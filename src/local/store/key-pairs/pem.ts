/** A private key in PEM (RFC 7468, section 10). The only group is its base64. */
const PRIVATE_KEY = /^-----BEGIN PRIVATE KEY-----\n([\w+/=\n]*)\n-----END PRIVATE KEY-----\n?$/;

/** PKCS #8 in PEM. */
export function toPem(pkcs8: Buffer): string {
  const lines = pkcs8.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n');
}

/** The PKCS #8 in a PEM; empty if there is none. */
export function fromPem(pem: string): Buffer {
  return Buffer.from(PRIVATE_KEY.exec(pem)?.[1] ?? '', 'base64');
}
