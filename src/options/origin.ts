/**
 * An origin as browsers send it in the header `Origin` (RFC 6454, section 7): the scheme, the host, and the port unless it
 * is the default of the scheme.
 *
 * @returns undefined for a string that is anything else, such as a URL with a path
 */
export function originFrom(value: string): string | undefined {
  if (value === 'null') return value;
  if (!URL.canParse(value)) return undefined;
  const { href, origin, protocol, host } = new URL(value);
  // The URL parser gives the schemes of apps, such as capacitor: and chrome-extension:, an opaque origin.
  const serialized = origin === 'null' && host !== '' ? `${protocol}//${host}` : origin;
  return [serialized, `${serialized}/`].includes(href) ? serialized : undefined;
}
