/** The output of an operation as JSON: blobs in base64, dates in seconds. Void means an empty body. */
export type Output = Readonly<Record<string, unknown>> | void;

/** A blob in AWS's JSON: base64. */
export function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

/** A date in AWS's JSON: seconds since 1970. */
export function seconds(date: Date): number {
  return date.getTime() / 1000;
}
