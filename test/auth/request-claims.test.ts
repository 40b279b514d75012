import type { JwtClaims } from 'nestjs-kms-jwt';
import { expect, test } from 'vitest';
import { placeOnRequest } from '../../src/auth/request-claims.js';

interface Request {
  user?: JwtClaims;
}

const place = (request: Request, claims: JwtClaims, token = 'token') =>
  placeOnRequest(request, 'user', { registration: 'default', token, claims });

test('request.user has the claims of the last token of one user', () => {
  const request: Request = {};
  place(request, { iss: 'a', sub: 'b', jti: '1' }, 'one');
  place(request, { iss: 'a', sub: 'b', jti: '2' }, 'other');
  expect(request.user).toEqual({ iss: 'a', sub: 'b', jti: '2' });
});

test.each<[string, JwtClaims, JwtClaims]>([
  ['whose iss and sub are equal when joined', { iss: 'a', sub: 'b c' }, { iss: 'a b', sub: 'c' }],
  ['whose sub is an object', { sub: { id: 1 } as never }, { sub: { id: 2 } as never }],
  ['without sub', {}, {}],
])('reading request.user throws for two users %s', (_, one, other) => {
  const request: Request = {};
  place(request, one, 'one');
  place(request, other, 'other');
  expect(() => request.user).toThrow('is ambiguous');
});
