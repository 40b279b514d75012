import type { PublishedIssuerName, TokenChanges } from '../support/published-issuer.js';

/** A record of docs/issuers.md, and tokens of its issuer. */
export interface IssuerCase {
  /** The exported name of the record. */
  readonly record: string;
  /** The file with the record, without its folder. */
  readonly file: string;
  readonly issuer: PublishedIssuerName;
  /** The token that the record accepts. */
  readonly accepted: TokenChanges;
  /** The same token without the scope `orders:read`. */
  readonly withoutScope: TokenChanges;
  /** Whether the issuer grants scopes at all. */
  readonly hasScopes: boolean;
  /** Valid tokens of the issuer that are not for this service, and the claim that the refusal names. */
  readonly refused: readonly { readonly name: string; readonly token: TokenChanges; readonly says: string }[];
}

const OTHER_AUDIENCE = {
  name: 'a token for another application',
  token: { claims: { aud: 'https://invoices.example.com' } },
  says: 'aud',
};
const entra = (client: string) => ({
  accepted: {},
  withoutScope: { claims: { scp: 'User.Read' } },
  hasScopes: true,
  refused: [
    OTHER_AUDIENCE,
    { name: 'a token for Microsoft Graph', token: { claims: { aud: GRAPH } }, says: 'aud' },
    { name: 'a token of another client', token: { claims: { [client]: 'other' } }, says: client },
    { name: 'a token of another tenant', token: { claims: { tid: 'other' } }, says: 'tid' },
    {
      name: 'an ID token, where client and API share an app registration',
      token: { claims: { scp: undefined } },
      says: 'scp',
    },
  ],
});
const GRAPH = '00000003-0000-0000-c000-000000000000';

export const ISSUER_CASES: readonly IssuerCase[] = [
  {
    record: 'cognito',
    file: 'cognito',
    issuer: 'cognito',
    accepted: {},
    withoutScope: { claims: { scope: 'openid other-api/orders:read' } },
    hasScopes: true,
    refused: [
      { name: 'an ID token of the same client', token: { token: 'idToken' }, says: 'token_use' },
      { name: 'a token of another client', token: { claims: { client_id: 'other' } }, says: 'client_id' },
    ],
  },
  {
    record: 'auth0',
    file: 'auth0',
    issuer: 'auth0',
    accepted: {},
    withoutScope: { claims: { permissions: ['orders:list'] } },
    hasScopes: true,
    refused: [
      OTHER_AUDIENCE,
      { name: 'an ID token', token: { token: 'idToken' }, says: 'aud' },
      { name: 'a token of the other profile', token: { token: 'rfc9068Token' }, says: 'typ' },
    ],
  },
  {
    record: 'auth0Rfc9068',
    file: 'auth0',
    issuer: 'auth0',
    accepted: { token: 'rfc9068Token' },
    withoutScope: { token: 'rfc9068Token', claims: { permissions: undefined } },
    hasScopes: true,
    refused: [
      { ...OTHER_AUDIENCE, token: { token: 'rfc9068Token', ...OTHER_AUDIENCE.token } },
      { name: 'an ID token', token: { token: 'idToken' }, says: 'typ' },
      { name: 'a token of the other profile', token: { token: 'accessToken' }, says: 'typ' },
    ],
  },
  { record: 'entra', file: 'entra', issuer: 'entra-v2', ...entra('azp') },
  { record: 'entraV1', file: 'entra', issuer: 'entra-v1', ...entra('appid') },
  {
    record: 'keycloak',
    file: 'keycloak',
    issuer: 'keycloak',
    accepted: {},
    withoutScope: { claims: { realm_access: undefined } },
    hasScopes: true,
    refused: [
      { name: 'a token without the mapper', token: { claims: { aud: 'account' } }, says: 'aud' },
      { name: 'a token of another client', token: { claims: { azp: 'other' } }, says: 'azp' },
      { name: 'an ID token', token: { token: 'idToken' }, says: 'aud' },
      {
        name: 'an ID token to which a mapper added the audience',
        token: { token: 'idToken', claims: { aud: ['shop-web', 'orders'] } },
        says: 'typ',
      },
    ],
  },
  {
    record: 'google',
    file: 'google',
    issuer: 'google',
    accepted: {},
    withoutScope: {},
    hasScopes: false,
    refused: [
      { name: 'a token for another client', token: { claims: { aud: 'other' } }, says: 'aud' },
      { name: 'a token of a private account', token: { claims: { hd: undefined } }, says: 'hd' },
      { name: 'a token of another domain', token: { claims: { hd: 'example.org' } }, says: 'hd' },
      {
        name: 'a token with the older issuer',
        token: { claims: { iss: 'accounts.google.com' } },
        says: 'iss',
      },
    ],
  },
  {
    record: 'githubActions',
    file: 'github-actions',
    issuer: 'github-actions',
    accepted: {},
    withoutScope: { claims: { environment: undefined } },
    hasScopes: true,
    refused: [
      {
        name: 'a token with the default audience',
        token: { claims: { aud: 'https://github.com/octo-org' } },
        says: 'aud',
      },
      {
        name: 'a job of another repository',
        token: { claims: { repository_id: '75', repository: 'octo-org/other' } },
        says: 'repository_id',
      },
      {
        name: 'another owner of the same name',
        token: { claims: { repository_owner_id: '66' } },
        says: 'repository_owner_id',
      },
      { name: 'a job of a pull request', token: { claims: { ref: 'refs/pull/7/merge' } }, says: 'ref' },
      ...['pull_request_target', 'workflow_run', 'issue_comment'].map((event) => ({
        name: `a job of the event ${event}, whose ref is the default branch`,
        token: { claims: { event_name: event } },
        says: 'event_name',
      })),
    ],
  },
];
