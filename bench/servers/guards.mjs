// The guards with which the guard of this library is compared.
import { verify } from 'node:crypto';
import { Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { AUDIENCE, ISSUER } from '../tokens.mjs';

/** The reference, which measures Nest itself. */
export class NoGuard {
  canActivate() {
    return true;
  }
}
Injectable()(NoGuard);

/** The minimum of correct checks: algorithm, signature, issuer, audience and `exp`. */
export class HandWrittenGuard {
  #key;

  constructor(publicKey) {
    this.#key = { key: publicKey, dsaEncoding: 'ieee-p1363' };
  }

  canActivate(context) {
    const request = context.switchToHttp().getRequest();
    request.user = this.#claimsOf(bearerToken(request));
    return true;
  }

  #claimsOf(token) {
    const [header, payload, signature, more] = token.split('.');
    if (signature === undefined || more !== undefined) throw new UnauthorizedException();
    const input = Buffer.from(`${header}.${payload}`);
    if (parse(header).alg !== 'ES256') throw new UnauthorizedException();
    if (!verify('sha256', input, this.#key, Buffer.from(signature, 'base64url'))) {
      throw new UnauthorizedException();
    }
    const claims = parse(payload);
    const isValid = claims.iss === ISSUER && claims.aud === AUDIENCE && claims.exp > Date.now() / 1000;
    if (!isValid) throw new UnauthorizedException();
    return claims;
  }
}

/** From the chapter "Authentication" of Nest's documentation. */
export class NestJwtGuard {
  constructor(jwtService) {
    this.jwtService = jwtService;
  }

  async canActivate(context) {
    const request = context.switchToHttp().getRequest();
    const token = bearerToken(request);
    try {
      request.user = await this.jwtService.verifyAsync(token);
    } catch {
      throw new UnauthorizedException();
    }
    return true;
  }
}
Injectable()(NestJwtGuard);
Inject(JwtService)(NestJwtGuard, undefined, 0);

/** From the chapter "Passport" of Nest's documentation. */
export const PassportGuard = AuthGuard('jwt');

/** The strategy of `PassportGuard`. */
export function makeJwtStrategy(publicKey, expected) {
  class JwtStrategy extends PassportStrategy(Strategy) {
    constructor() {
      super({
        jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
        secretOrKey: publicKey,
        ...expected,
      });
    }

    validate(claims) {
      return claims;
    }
  }
  Injectable()(JwtStrategy);
  return JwtStrategy;
}

function bearerToken(request) {
  const [type, token] = request.headers.authorization?.split(' ') ?? [];
  if (type !== 'Bearer' || !token) throw new UnauthorizedException();
  return token;
}

function parse(part) {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    throw new UnauthorizedException();
  }
}
