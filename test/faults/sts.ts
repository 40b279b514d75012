import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AWS_SECRETS } from './service.js';

/** The latency of an answer, in milliseconds. The SDK asks repeatedly in the last five minutes of its credentials. */
const DELAY = 500;

/** AWS STS with AssumeRoleWithWebIdentity only, which can be made silent. */
export class Sts {
  isSilent = false;
  /** The time from an answer until its credentials expire, in milliseconds. */
  lifetime = 2000;
  requests = 0;

  private readonly server = createServer((_, response) => {
    this.requests += 1;
    if (this.isSilent) return;
    const answer = () => response.writeHead(200, { 'content-type': 'text/xml' }).end(this.answer());
    setTimeout(answer, DELAY);
  });

  async start(): Promise<void> {
    await once(this.server.listen(0, '127.0.0.1'), 'listening');
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private answer(): string {
    const expiration = new Date(Date.now() + this.lifetime).toISOString();
    const [secret, session] = AWS_SECRETS;
    return `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
      <AssumeRoleWithWebIdentityResult><Credentials>
        <AccessKeyId>AKIDEXAMPLE</AccessKeyId><SecretAccessKey>${secret}</SecretAccessKey>
        <SessionToken>${session}</SessionToken><Expiration>${expiration}</Expiration>
      </Credentials></AssumeRoleWithWebIdentityResult>
    </AssumeRoleWithWebIdentityResponse>`;
  }
}
