import { KmsError } from '../store/kms-error.js';
import { type Input, optionalInteger, optionalString } from './input.js';

/** One page of the list of ListKeys or ListAliases. */
export interface Page<T> {
  readonly items: readonly T[];
  /** The members of the output that point to the next page. */
  readonly rest: { readonly Truncated: boolean; readonly NextMarker?: string };
}

/**
 * The page of `all` that `Limit` and `Marker` select. The marker is the `id` of the previous page's last item.
 *
 * @throws KmsError ValidationException, InvalidMarkerException
 */
export function page<T>(
  all: readonly T[],
  id: (item: T) => string,
  input: Input,
  limits: { readonly default: number; readonly max: number },
): Page<T> {
  const limit = optionalInteger(input, 'Limit', 1, limits.max) ?? limits.default;
  const marker = optionalString(input, 'Marker', 1024);
  const previous = marker === undefined ? -1 : all.findIndex((item) => id(item) === marker);
  if (marker !== undefined && previous === -1) throw new KmsError('InvalidMarkerException', 'Invalid marker');

  const items = all.slice(previous + 1, previous + 1 + limit);
  const last = items.at(-1);
  const isCut = last !== undefined && last !== all.at(-1);
  return { items, rest: { Truncated: isCut, NextMarker: isCut ? id(last) : undefined } };
}
