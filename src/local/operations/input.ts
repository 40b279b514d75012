import { KmsError } from '../store/kms-error.js';

/** The input of an operation before any check: a JSON object. */
export type Input = Readonly<Record<string, unknown>>;

export function requiredString(input: Input, name: string, maxLength = 2048): string {
  const value = optionalString(input, name, maxLength);
  if (value === undefined) throw invalid(name, value, 'Member must not be null');
  return value;
}

export function optionalString(
  input: Input,
  name: string,
  maxLength: number,
  minLength = 1,
): string | undefined {
  const value = typed(input, name, 'string');
  if (value === undefined) return undefined;
  checkLength(name, value, value.length, minLength, maxLength);
  return value;
}

/** Reads a required blob, which is base64 in the JSON. */
export function requiredBlob(input: Input, name: string, maxLength: number): Buffer {
  const base64 = typed(input, name, 'string');
  if (base64 === undefined) throw invalid(name, base64, 'Member must not be null');
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.toString('base64') !== base64) throw malformed(`${name} is not base64`);
  const shown = `java.nio.HeapByteBuffer[pos=0 lim=${bytes.length} cap=${bytes.length}]`;
  checkLength(name, shown, bytes.length, 1, maxLength);
  return bytes;
}

export function optionalChoice<T extends string>(
  input: Input,
  name: string,
  values: readonly T[],
): T | undefined {
  const value = typed(input, name, 'string');
  if (value === undefined) return undefined;
  const choice = values.find((each) => each === value);
  if (choice !== undefined) return choice;
  throw invalid(name, value, `Member must satisfy enum value set: [${values.join(', ')}]`);
}

export function requiredChoice<T extends string>(input: Input, name: string, values: readonly T[]): T {
  const value = optionalChoice(input, name, values);
  if (value === undefined) throw invalid(name, value, 'Member must not be null');
  return value;
}

export function optionalInteger(input: Input, name: string, min: number, max: number): number | undefined {
  const value = typed(input, name, 'number');
  if (value === undefined) return undefined;
  if (!Number.isInteger(value)) throw malformed(`${name} is not an integer`);
  if (value < min) throw invalid(name, value, `Member must have value greater than or equal to ${min}`);
  if (value > max) throw invalid(name, value, `Member must have value less than or equal to ${max}`);
  return value;
}

/** Reads an optional boolean. Default: false. */
export function flag(input: Input, name: string): boolean {
  return typed(input, name, 'boolean') ?? false;
}

/** The error of AWS KMS for a member of the right type with an invalid value. */
export function validationError(message: string): KmsError {
  return new KmsError('ValidationException', message);
}

interface JsonTypes {
  string: string;
  number: number;
  boolean: boolean;
}

function typed<T extends keyof JsonTypes>(input: Input, name: string, type: T): JsonTypes[T] | undefined {
  const value = input[name] ?? undefined;
  if (value === undefined) return undefined;
  if (typeof value !== type) throw malformed(`${name} is not a ${type}`);
  return value as JsonTypes[T];
}

function checkLength(name: string, value: string, length: number, min: number, max: number): void {
  if (length < min) throw invalid(name, value, `Member must have length greater than or equal to ${min}`);
  if (length > max) throw invalid(name, value, `Member must have length less than or equal to ${max}`);
}

function invalid(name: string, value: string | number | undefined, constraint: string): KmsError {
  const shown = value === undefined ? 'null' : `'${value}'`;
  const member = name.charAt(0).toLowerCase() + name.slice(1);
  return validationError(
    `1 validation error detected: Value ${shown} at '${member}' failed to satisfy constraint: ${constraint}`,
  );
}

function malformed(message: string): KmsError {
  return new KmsError('SerializationException', message);
}
