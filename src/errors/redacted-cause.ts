/**
 * Copies a foreign error for use as a `cause`, with its name, its code and the SDK's `$fault` and `$metadata` only. Other
 * properties may quote a token or a claim, or lead to the failed request, and loggers print them. Its stack has no frames.
 *
 * @param message replaces the message of the error
 * @returns undefined if `error` is not an Error
 */
export function redactedCause(error: unknown, message: string): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const { $fault, $metadata } = error as SdkError;
  const code = codeOf(error);
  const name = nameOf(error);
  return Object.assign(new Error(message), {
    name,
    // The stack of the original may quote its message; the stack of the copy would point here.
    stack: `${name}: ${message}`,
    ...(code !== undefined && { code }),
    ...($fault !== undefined && { $fault }),
    ...($metadata !== undefined && { $metadata }),
  });
}

/** The name of an error, as one short line: it may come from the wire, and it appears in log messages. */
export function nameOf({ name }: Error): string {
  return name.replace(/[^\w.:-]/g, '?').slice(0, 100);
}

/** The code of an error, if it looks like one of Node's. The SDK also copies the code of a reply, which can be any value. */
export function codeOf(error: Error): string | undefined {
  const { code } = error as SdkError;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : undefined;
}

/** Properties that the AWS SDK and Node add to an error. */
interface SdkError extends Error {
  code?: unknown;
  $fault?: unknown;
  $metadata?: unknown;
}
