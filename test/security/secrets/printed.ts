import { inspect, type InspectOptions } from 'node:util';

/** Every reachable property, hidden ones included. */
const EVERYTHING: InspectOptions = {
  depth: Infinity,
  showHidden: true,
  customInspect: false,
  maxArrayLength: Infinity,
  maxStringLength: Infinity,
  breakLength: Infinity,
};

/** The texts with which programs such as loggers and debuggers print a value. */
export function printed(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return [
    ...chainOf(value).flatMap(({ name, message, stack = '' }) => [name, message, stack]),
    asJson(value),
    inspect(value),
    inspect(value, EVERYTHING),
  ];
}

function chainOf(value: unknown): Error[] {
  return value instanceof Error ? [value, ...chainOf(value.cause)] : [];
}

function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? '';
  } catch {
    // A cyclic value.
    return '';
  }
}
