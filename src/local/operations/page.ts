import { KmsError } from '../store/kms-error.js';
import { type Input, optionalInteger, optionalString } from './input.js';

/** A page of a list, as ListKeys and ListAliases answer it. */
export interface Page<T> {
  readonly items: readonly T[];
  /** The part of the output that says whether there is more. */
  readonly rest: { readonly Truncated: boolean; readonly NextMarker?: string };
}

/** Cuts the page out of `all` that `Limit` and `Marker` ask for. The marker is the last item's `id`. */
export function page<T>(
  all: readonly T[],
  id: (item: T) => string,
  input: Input,
  limits: { readonly usual: number; readonly max: number },
): Page<T> {
  const limit = optionalInteger(input, 'Limit', 1, limits.max) ?? limits.usual;
  const marker = optionalString(input, 'Marker', 1024);
  const previous = marker === undefined ? -1 : all.findIndex((item) => id(item) === marker);
  if (marker !== undefined && previous === -1) throw new KmsError('InvalidMarkerException', 'Invalid marker');

  const items = all.slice(previous + 1, previous + 1 + limit);
  const last = items.at(-1);
  const isCut = last !== undefined && last !== all.at(-1);
  return { items, rest: { Truncated: isCut, NextMarker: isCut ? id(last) : undefined } };
}
