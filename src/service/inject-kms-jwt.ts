import { Inject, type InjectionToken } from '@nestjs/common';
import { DEFAULT_NAME } from '../events/log.js';
import { KmsJwtService } from './kms-jwt.service.js';

export { DEFAULT_NAME };

/**
 * The injection token of the service of one instance, for `app.get`, `overrideProvider` and factories.
 *
 * @param name the `name` of the instance in `forRoot`. Default: the instance without a name
 *
 * @example
 * const internal = app.get<KmsJwtService>(getKmsJwtServiceToken('internal'));
 */
export function getKmsJwtServiceToken(name: string = DEFAULT_NAME): InjectionToken<KmsJwtService> {
  return name === DEFAULT_NAME ? KmsJwtService : `KmsJwtService:${name}`;
}

/**
 * Injects the service of a named instance; without a name, the same as the type `KmsJwtService` alone.
 *
 * @example
 * constructor(\@InjectKmsJwt('internal') private readonly jwt: KmsJwtService) {}
 */
export function InjectKmsJwt(name?: string): PropertyDecorator & ParameterDecorator {
  return Inject(getKmsJwtServiceToken(name));
}
