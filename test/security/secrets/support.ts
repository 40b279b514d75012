import { startRecordedApp } from './app.js';
import { recordedKms } from './kms.js';
import { newCanary, newNumber, Secrets } from './secrets.js';

/** Claims whose strings, and one number, are secrets. Their times are fixed, so that the signing input can be repeated. */
export const newClaims = () => ({
  iss: newCanary(),
  aud: [newCanary()],
  sub: newCanary(),
  jti: newCanary(),
  nonce: newCanary(),
  scope: newCanary(),
  account: { emails: [newCanary()] },
  account_number: newNumber(),
  iat: 1_700_000_000,
});

/** An app, claims, and a token of the app with these claims. */
export async function setUp(options: Parameters<typeof startRecordedApp>[0] = {}, carrier?: string) {
  const secrets = new Secrets();
  const kms = await recordedKms(secrets, carrier);
  const app = await startRecordedApp({ client: kms.client, ...options });
  const claims = newClaims();
  const token = await app.jwt.sign(claims);
  secrets.addToken('the token', token);
  const signingInput = token.slice(0, token.lastIndexOf('.'));
  return { ...app, kms, secrets, claims, token, signingInput };
}

/** The claims without those that the corpus checks. */
export function withoutExpected({ sub, jti, scope, account, account_number }: ReturnType<typeof newClaims>) {
  return { sub, jti, scope, account, account_number };
}
