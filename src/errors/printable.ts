/** A foreign name, such as a `kid` or an ARN, as one word of a message: any character that is not visible ASCII becomes `?`. */
export function printableName(name: string): string {
  return name.replace(/[^\x21-\x7e]/g, '?');
}

/** A text as one line: control and format characters and line separators, which can forge or hide lines, become `?`. */
export function printableLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '?');
}
