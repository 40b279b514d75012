import { join } from 'node:path';
import { KmsJwtModule, KmsJwtService } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import { startIssuer } from '../support/issuer.js';
import { folder, init, useKms } from './kms.js';
import { bash, blocksOf, compile, environment } from './support.js';

useKms();
const blocks = await blocksOf('docs/issuers.md');
const command = blocks.find(({ text }) => text.startsWith('curl -s "$JWKS_URI"'))?.text ?? '';

test('a snapshot that the command writes verifies while the issuer is down', async () => {
  const issuer = await startIssuer();
  const token = issuer.token({ iss: 'https://login.example.com/' });
  await bash(`cd ${folder}\n${command}`, environment({ JWKS_URI: issuer.jwksUri }));
  issuer.fault = (_, response) => response.destroy();

  const local = blocks.map(({ language, text }) => ({
    language,
    text: text
      .replace('./jwks.json', join(folder, 'jwks.json'))
      .replace("algorithms: 'RS256'", "algorithms: 'ES256'")
      .replace('https://login.example.com/jwks.json', issuer.jwksUri),
  }));
  const { load } = await compile('snapshot', local);
  const { corp } = await load('src/issuers/snapshot.js');
  const module = await init(KmsJwtModule.forRoot({ issuers: [corp as never] }) as never);
  await expect(module.get(KmsJwtService).verify(token)).resolves.toMatchObject({ aud: 'orders' });
  await module.close();
});
