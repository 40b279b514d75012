import { markdownTable } from '../support/markdown-table.js';
import { CASES } from './cases.js';
import type { EndpointFamily } from './app-under-test.js';
import { ENDS } from './ends.js';

/** Collects what clients received, for docs/refusals.md. */
export class Refusals {
  private readonly received = new Map<string, unknown>();

  constructor(private readonly families: readonly EndpointFamily[]) {}

  /** All endpoints of a family answer alike, or their tests have failed. */
  add(family: EndpointFamily, caseName: string, received: unknown): void {
    this.received.set(`${family.name}: ${caseName}`, received);
  }

  toMarkdown(): string {
    const sections = this.families.map((family) => this.section(family));
    return [INTRODUCTION, ...sections, endsSection()].join('\n');
  }

  private section(family: EndpointFamily): string {
    const rows = CASES.map(({ name }) => [name, this.received.get(`${family.name}: ${name}`) ?? {}] as const);
    // What an answer consists of: the same for all that are refused, something else for those that are let in.
    const parts = new Set(rows.toReversed().flatMap(([, received]) => Object.keys(received)));
    const table = rows.map(([name, received]) => [
      name,
      ...[...parts].map((part) => cell((received as Record<string, unknown>)[part])),
    ]);
    const endpoints = family.endpoints.map((endpoint) => `- ${endpoint.name}`).join('\n');
    return `## ${family.name}\n\n${family.about ? `${family.about}\n\n` : ''}${endpoints}\n\n${markdownTable([['token', ...parts], ...table])}\n`;
  }
}

const INTRODUCTION = `# What each client receives

This file is made by the tests in \`test/transports\`: real apps, real ports, real clients, on Nest 11 and on Nest 12. To write
it anew: \`UPDATE_DOCS=1 npx vitest run test/transports\`.

The handlers ask for the scope \`orders:read\`, the module for the audience \`orders\`. Where a token is valid, the handler
says what \`@Claims()\` and \`@Claims('sub')\` gave it. All clients under one heading receive the same. What was refused while
KMS was unavailable, or the key disabled, is admitted once that has ended, without a restart.

For some handlers Nest runs no guard, or only those declared beside the handler:

- a \`@ResolveField()\`, unless GraphQLModule has \`fieldResolverEnhancers: ['guards']\`: no guard at all;
- a \`@ResolveReference()\` of Apollo Federation, with the same exception: no guard at all; call \`verifyReference\` there;
- \`handleConnection\` of a gateway: no guard at all; call \`acceptConnection\` there;
- the messages of gateways before Nest 12: no \`APP_GUARD\`;
- the microservices of a hybrid app without \`inheritAppConfig\`: no \`APP_GUARD\`.

Where the list says \`APP_GUARD\`, put \`@UseGuards(KmsJwtGuard)\` beside the handler instead.
`;

function endsSection(): string {
  const rows = Object.entries(ENDS).map(([transport, end]) => [
    transport,
    Object.entries(end)
      .map(([part, value]) => `${part}: ${part === 'closed' ? value : cell(value)}`)
      .join(', '),
  ]);
  return `${ENDS_INTRODUCTION}\n${markdownTable([['transport', 'the client receives'], ...rows])}\n`;
}

const ENDS_INTRODUCTION = `## Connections and streams whose token expires

They end within a second of \`exp\` plus \`clockTolerance\` (or of \`iat\` plus \`maxAge\`), unless \`guard.endAtExpiry\` is false; and
when the key of the token is no longer trusted. The token is that of the handshake, of \`connectionParams\` or of the call: the
token of a single message ends nothing. With \`guard.recheckInterval\` a revoked token ends them in the same way, with the code
\`token_revoked\`; when \`isRevoked\` has failed three times in a row, they end with \`revocation_unavailable\`, by 1013 on
WebSockets and status 14 on gRPC.
`;

function cell(value: unknown): string {
  if (value === undefined) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
