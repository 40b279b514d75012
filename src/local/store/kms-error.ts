/** An error response of AWS KMS: the exception name, the message and the HTTP status. */
export class KmsError extends Error {
  constructor(
    override readonly name: string,
    message: string,
    readonly statusCode = 400,
  ) {
    super(message);
  }
}
