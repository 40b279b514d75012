import { startOverheardApp } from './app.js';
import { tappedKms } from './kms.js';
import { newCanary, newNumber, Secrets } from './secrets.js';

/** Claims whose every text is a secret, and one number. Their time is given, so that they make the same signing input again. */
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

/** An app, claims, and a token that it signed with them. */
export async function setUp(options: Parameters<typeof startOverheardApp>[0] = {}, carrier?: string) {
  const secrets = new Secrets();
  const kms = await tappedKms(secrets, carrier);
  const app = await startOverheardApp({ client: kms.client, ...options });
  const claims = newClaims();
  const token = await app.jwt.sign(claims);
  secrets.addToken('the token', token);
  const signingInput = token.slice(0, token.lastIndexOf('.'));
  return { ...app, kms, secrets, claims, token, signingInput };
}

/** Without what the corpus has expectations of. */
export function withoutExpected({ sub, jti, scope, account, account_number }: ReturnType<typeof newClaims>) {
  return { sub, jti, scope, account, account_number };
}
