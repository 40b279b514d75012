/** The field of P-256 and its curve y² = x³ - 3x + b (SEC 2, section 2.4.2). */
const P = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

/** Whether a public JWK may be trusted for ES256 under its name; `either` where it spells a coordinate in its own way. */
export function verdictOnJwk(jwk: unknown): 'trust' | 'refuse' | 'either' {
  if (typeof jwk !== 'object' || jwk === null) return 'refuse';
  const {
    kty,
    crv,
    x,
    y,
    kid,
    use = 'sig',
    key_ops = ['verify'],
    alg = 'ES256',
  } = jwk as Record<string, unknown>;
  const isMeant =
    kty === 'EC' &&
    crv === 'P-256' &&
    use === 'sig' &&
    alg === 'ES256' &&
    Array.isArray(key_ops) &&
    key_ops.includes('verify');
  const isNamed = typeof kid === 'string' && kid.length > 0 && kid.length <= 256;
  if (!isMeant || !isNamed || !isOnCurve(x, y)) return 'refuse';
  return [x, y].every(isCanonical) ? 'trust' : 'either';
}

/** The two coordinates of a key, as hexadecimal digits. */
export function pointOf({ x, y }: { x?: unknown; y?: unknown }): string {
  return [x, y].map((one) => integerOf(one)?.toString(16)).join();
}

function isOnCurve(x: unknown, y: unknown): boolean {
  const [left, right] = [integerOf(x), integerOf(y)];
  if (left === undefined || right === undefined || left >= P || right >= P) return false;
  return (right * right - (left ** 3n - 3n * left + B)) % P === 0n;
}

function integerOf(coordinate: unknown): bigint | undefined {
  if (typeof coordinate !== 'string') return undefined;
  return BigInt(`0x0${Buffer.from(coordinate, 'base64url').toString('hex')}`);
}

function isCanonical(coordinate: unknown): boolean {
  const bytes = Buffer.from(coordinate as string, 'base64url');
  return bytes.length === 32 && bytes.toString('base64url') === coordinate;
}
