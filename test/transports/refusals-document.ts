import { markdownTable } from '../support/markdown-table.js';
import { CASES } from './cases.js';
import type { EndpointFamily } from './app-under-test.js';
import { ENDS } from './ends.js';

/** Collects what clients received, for docs/refusals.md. */
export class Refusals {
  private readonly received = new Map<string, unknown>();

  constructor(private readonly families: readonly EndpointFamily[]) {}

  /** One entry per family is enough: if its endpoints differed, their tests would have failed. */
  add(family: EndpointFamily, caseName: string, received: unknown): void {
    this.received.set(`${family.name}: ${caseName}`, received);
  }

  toMarkdown(): string {
    const sections = this.families.map((family) => this.section(family));
    return [INTRODUCTION, ...sections, endsSection()].join('\n');
  }

  private section(family: EndpointFamily): string {
    const rows = CASES.map(({ name }) => [name, this.received.get(`${family.name}: ${name}`) ?? {}] as const);
    // The columns are the members of all responses. Refusals have the same members; the response to a valid token has others.
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

The tests in \`test/transports\` write this file. They use real apps, ports and clients, on Nest 11 and on Nest 12. To update it,
run \`UPDATE_DOCS=1 npx vitest run test/transports\`.

The handlers require the scope \`orders:read\`, and the module requires the audience \`orders\`. If a token is valid, the handler
answers with what it received from \`@Claims()\` and \`@Claims('sub')\`. All clients listed under one heading receive the same. If
a token is refused because KMS is unavailable or its key is disabled, it is accepted once that has ended, without a restart.

For some handlers, Nest runs no guard, or only the guards that are declared on the handler or its class:

- a \`@ResolveField()\`: no guard, unless GraphQLModule has \`fieldResolverEnhancers: ['guards']\`
- a \`@ResolveReference()\` of Apollo Federation: no guard, with the same exception; call \`verifyReference\` in it
- \`handleConnection\` of a gateway: no guard; call \`acceptConnection\` in it
- messages of a gateway before Nest 12: no \`APP_GUARD\`
- microservices of a hybrid app without \`inheritAppConfig\`: no \`APP_GUARD\`

Where this list says "no \`APP_GUARD\`", put \`@UseGuards(KmsJwtGuard)\` on the handler or its class.
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

A connection or stream ends within a second after \`exp\` plus \`clockTolerance\` (or \`iat\` plus \`maxAge\`), or when the key of its
token is no longer trusted, unless \`guard.endAtExpiry\` is false. Its token is that of the handshake, of \`connectionParams\` or of
the call. The token of a single message never ends a connection.

With \`guard.recheckInterval\`, a revoked token also ends it, with the code \`token_revoked\`. If \`isRevoked\` fails three times in a
row, the code is \`revocation_unavailable\`, with the close code 1013 on WebSockets and the status 14 on gRPC.
`;

function cell(value: unknown): string {
  if (value === undefined) return '';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}
