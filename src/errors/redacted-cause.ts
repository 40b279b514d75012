/**
 * What is kept of a foreign error as the cause of one of this library's own: its kind, and where to ask further. All else
 * may quote a token or a claim, or lead to the request that did not succeed, and loggers print it.
 *
 * @param message in the place of the error's own
 */
export function keptCause(error: unknown, message: string): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const { $fault, $metadata } = error as SdkError;
  const code = codeOf(error);
  return Object.assign(new Error(message), {
    name: nameOf(error),
    ...(code !== undefined && { code }),
    ...($fault !== undefined && { $fault }),
    ...($metadata !== undefined && { $metadata }),
  });
}

/** An error's name may come from the wire, and goes into messages and so into logs: one short line. */
export function nameOf({ name }: Error): string {
  return name.replace(/[^\w.:-]/g, '?').slice(0, 100);
}

/** The code that Node gives an error. The SDK also puts there what an answer has for one, which may be anything. */
export function codeOf(error: Error): string | undefined {
  const { code } = error as SdkError;
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : undefined;
}

/** What the AWS SDK and Node add to an error. */
interface SdkError extends Error {
  code?: unknown;
  $fault?: unknown;
  $metadata?: unknown;
}
