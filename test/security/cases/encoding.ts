import { deflateRawSync } from 'node:zlib';
import {
  appendMember,
  type Case,
  encode,
  goodClaims,
  goodHeader,
  type Keys,
  partsOf,
  seal,
  signed,
  withSignature,
} from '../support.js';

const BASE64 =
  'RFC 7515, section 2 (base64url without padding, whitespace or other characters); CVE-2022-25898';
const TRAILING = 'RFC 4648, section 3.5 (pad bits MUST be zero)';
const UTF8 = 'RFC 7519, section 7.2, steps 3 and 10; RFC 8725, section 3.7';
const COMPACT = 'RFC 7515, sections 5.2 and 7.1';

/** A changed encoding of each part in turn. The trusted key signs the header and the payload in that encoding. */
function eachPart(what: string, source: string, respell: (part: string) => string): Case[] {
  return [
    {
      name: `${what} in the header`,
      source,
      make: (keys) => seal(respell(encode(goodHeader(keys))), encode(goodClaims(keys)), keys.privateKey),
    },
    {
      name: `${what} in the payload`,
      source,
      make: (keys) => seal(encode(goodHeader(keys)), respell(encode(goodClaims(keys))), keys.privateKey),
    },
    {
      name: `${what} in the signature`,
      source,
      make: (keys) => withSignature(keys, (good) => respell(good.toString('base64url'))),
    },
  ];
}

const inTheMiddle = (text: string) => (part: string) => `${part.slice(0, 8)}${text}${part.slice(8)}`;

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** The same bytes for a lax decoder: in two of three lengths, the last character has unused bits. */
function setTrailingBit(part: string): string {
  if (part.length % 4 === 0) throw new Error('There are no trailing bits in this part');
  return part.slice(0, -1) + ALPHABET[ALPHABET.indexOf(part.at(-1) ?? '') | 1];
}

/** An object with a length in bytes whose base64url has unused bits. */
function ending(object: object): string {
  const json = JSON.stringify(object);
  return Buffer.byteLength(json) % 3 === 0 ? `${json} ` : json;
}

/** Bytes that no encoder would write, in a claim and in an unknown header parameter. */
function bytes(what: string, source: string, hostile: Buffer): Case[] {
  const around = (object: object) => {
    const [before, after] = appendMember(object, '"x":"|"').split('|') as [string, string];
    return Buffer.concat([Buffer.from(before), hostile, Buffer.from(after)]);
  };
  return [
    {
      name: `${what} in the payload`,
      source,
      make: (keys) => signed(keys, goodHeader(keys), around(goodClaims(keys))),
    },
    { name: `${what} in the header`, source, make: (keys) => signed(keys, around(goodHeader(keys))) },
  ];
}

function spelled(what: string, source: string, spell: (json: string) => Buffer): Case[] {
  return [
    {
      name: `${what}: the payload`,
      source,
      make: (keys) => signed(keys, goodHeader(keys), spell(JSON.stringify(goodClaims(keys)))),
    },
    {
      name: `${what}: the header`,
      source,
      make: (keys) => signed(keys, spell(JSON.stringify(goodHeader(keys)))),
    },
  ];
}

function whole(name: string, make: (token: string, keys: Keys) => string, source = COMPACT): Case {
  return { name, source, make: (keys) => make(signed(keys), keys) };
}

const json = (value: unknown) => JSON.stringify(value);

export const encoding: readonly Case[] = [
  ...eachPart('one padding character', BASE64, (part) => `${part}=`),
  ...eachPart('two padding characters', BASE64, (part) => `${part}==`),
  ...eachPart('percent-encoded padding', BASE64, (part) => `${part}%3D`),
  ...eachPart('a leading space', BASE64, (part) => ` ${part}`),
  ...eachPart('a trailing space', BASE64, (part) => `${part} `),
  ...eachPart('a newline in the middle', BASE64, inTheMiddle('\n')),
  ...eachPart('a CRLF in the middle', BASE64, inTheMiddle('\r\n')),
  ...eachPart('a tab in the middle', BASE64, inTheMiddle('\t')),
  ...eachPart('a NUL in the middle', BASE64, inTheMiddle('\u0000')),
  ...eachPart('a no-break space in the middle', BASE64, inTheMiddle('\u00a0')),
  ...eachPart('a leading byte order mark', BASE64, (part) => `\ufeff${part}`),
  ...eachPart('invalid characters in the middle', BASE64, inTheMiddle('!*~')),
  ...eachPart('a letter beyond Latin-1', BASE64, inTheMiddle('Ł')),
  ...eachPart(
    'a fullwidth letter',
    BASE64,
    (part) => String.fromCodePoint(part.codePointAt(0)! + 0xfee0) + part.slice(1),
  ),
  ...eachPart('a lone surrogate', BASE64, inTheMiddle('\ud800')),
  ...eachPart('characters after padding', BASE64, (part) => `${part}=AAAA`),
  {
    name: 'the base64 alphabet in the header',
    source: BASE64,
    // The base64 of U+FFFF and ~ has both + and /.
    make: (keys) => {
      const header = Buffer.from(json({ ...goodHeader(keys), x: '\uffff>>>???~~~' }));
      return seal(header.toString('base64').replaceAll('=', ''), encode(goodClaims(keys)), keys.privateKey);
    },
  },
  {
    name: 'the base64 alphabet in the payload',
    source: BASE64,
    make: (keys) => {
      const payload = Buffer.from(json({ ...goodClaims(keys), x: '\uffff>>>???~~~' }));
      return seal(encode(goodHeader(keys)), payload.toString('base64').replaceAll('=', ''), keys.privateKey);
    },
  },
  {
    name: 'the base64 alphabet in the signature',
    source: BASE64,
    make: (keys) => {
      let token: string;
      do token = withSignature(keys, (good) => good.toString('base64').replaceAll('=', ''));
      while (!/[+/][^.]*$/.test(token));
      return token;
    },
  },
  {
    name: 'non-zero trailing bits in the header',
    source: TRAILING,
    make: (keys) =>
      seal(setTrailingBit(encode(ending(goodHeader(keys)))), encode(goodClaims(keys)), keys.privateKey),
  },
  {
    name: 'non-zero trailing bits in the payload',
    source: TRAILING,
    make: (keys) =>
      seal(encode(goodHeader(keys)), setTrailingBit(encode(ending(goodClaims(keys)))), keys.privateKey),
  },
  {
    name: 'non-zero trailing bits in the signature',
    source: TRAILING,
    make: (keys) => withSignature(keys, (good) => setTrailingBit(good.toString('base64url'))),
  },
  {
    name: 'a header of length 1 mod 4',
    source: 'RFC 7515, appendix C',
    make: (keys) => {
      const padded = json(goodHeader(keys)).padEnd(120, ' ');
      return seal(`${encode(padded)}A`, encode(goodClaims(keys)), keys.privateKey);
    },
  },
  {
    name: 'a payload of length 1 mod 4',
    source: 'RFC 7515, appendix C',
    make: (keys) => {
      const padded = json(goodClaims(keys)).padEnd(300, ' ');
      return seal(encode(goodHeader(keys)), `${encode(padded)}A`, keys.privateKey);
    },
  },
  {
    name: 'a signature of length 1 mod 4',
    source: 'RFC 7515, appendix C',
    make: (keys) => withSignature(keys, (good) => `${good.toString('base64url')}AAA`),
  },

  ...bytes('a byte that is invalid in UTF-8', UTF8, Buffer.from([0xff])),
  ...bytes('a lone continuation byte', UTF8, Buffer.from([0x80])),
  ...bytes('a truncated sequence', UTF8, Buffer.from([0xe2, 0x82])),
  ...bytes('an overlong slash', `${UTF8}; RFC 3629, section 10`, Buffer.from([0xc0, 0xaf])),
  ...bytes('an overlong NUL', `${UTF8}; RFC 3629, section 10`, Buffer.from([0xc0, 0x80])),
  ...bytes('an overlong quotation mark', `${UTF8}; RFC 3629, section 10`, Buffer.from([0xc0, 0xa2])),
  ...bytes('a surrogate in UTF-8', `${UTF8}; RFC 3629, section 3`, Buffer.from([0xed, 0xa0, 0x80])),
  ...bytes(
    'a code point above U+10FFFF',
    `${UTF8}; RFC 3629, section 3`,
    Buffer.from([0xf4, 0x90, 0x80, 0x80]),
  ),
  ...bytes('an overlong slash of 3 bytes', `${UTF8}; RFC 3629, section 10`, Buffer.from([0xe0, 0x80, 0xaf])),
  ...bytes(
    'an overlong slash of 4 bytes',
    `${UTF8}; RFC 3629, section 10`,
    Buffer.from([0xf0, 0x80, 0x80, 0xaf]),
  ),
  ...bytes('an overlong DEL', `${UTF8}; RFC 3629, section 10`, Buffer.from([0xc1, 0xbf])),
  ...bytes(
    'a sequence of 5 bytes',
    `${UTF8}; RFC 3629, section 3`,
    Buffer.from([0xf8, 0x88, 0x80, 0x80, 0x80]),
  ),
  ...bytes(
    'two surrogates in UTF-8',
    `${UTF8}; RFC 3629, section 3`,
    Buffer.from([0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80]),
  ),
  ...bytes('a byte order mark of UTF-16', UTF8, Buffer.from([0xfe, 0xff])),
  ...spelled('a byte order mark', 'RFC 8259, section 8.1', (text) => Buffer.from(`\ufeff${text}`)),
  ...spelled('a byte order mark at the end', 'RFC 8259, section 2', (text) => Buffer.from(`${text}\ufeff`)),
  ...spelled('UTF-16, little endian', UTF8, (text) => Buffer.from(text, 'utf16le')),
  ...spelled('UTF-16 with a byte order mark', UTF8, (text) => Buffer.from(`\ufeff${text}`, 'utf16le')),
  ...spelled('UTF-16, big endian', UTF8, (text) => Buffer.from(text, 'utf16le').swap16()),
  ...spelled('UTF-32', UTF8, (text) =>
    Buffer.from(Array.from(text, (one) => [one.codePointAt(0) ?? 0, 0, 0, 0]).flat()),
  ),
  ...spelled('Latin-1', UTF8, (text) => Buffer.from(text.replace('{', '{"é":1,'), 'latin1')),
  ...spelled('deflated', 'RFC 7516, section 4.1.3 (zip is only for JWE)', (text) => deflateRawSync(text)),

  whole('nothing', () => ''),
  whole('a space', () => ' '),
  whole('one dot', () => '.'),
  whole('two dots', () => '..'),
  whole('three dots', () => '...'),
  whole('one part', (token) => partsOf(token)[0]),
  whole('two parts', (token) => partsOf(token).slice(0, 2).join('.')),
  whole('two parts, header and signature', (token) => `${partsOf(token)[0]}.${partsOf(token)[2]}`),
  whole('four parts, the last empty', (token) => `${token}.`),
  whole('four parts, the first empty', (token) => `.${token}`),
  whole('four parts', (token) => `${token}.${encode('{}')}`),
  whole('five parts', (token) => `${token}.AA.AA`),
  whole('no header', (token) => `.${partsOf(token).slice(1).join('.')}`),
  whole('no payload', (token) => `${partsOf(token)[0]}..${partsOf(token)[2]}`),
  whole('a space before the token', (token) => ` ${token}`),
  whole('a newline after the token', (token) => `${token}\n`),
  whole('a NUL after the token', (token) => `${token}\u0000`),
  whole('Bearer before the token', (token) => `Bearer ${token}`, 'RFC 6750, section 2.1'),
  whole('quotation marks around the token', (token) => `"${token}"`),
  whole('two tokens separated by a comma', (token) => `${token},${token}`),
  whole('two tokens separated by a space', (token) => `${token} ${token}`),
  whole('the whole token in base64url again', (token) => encode(token)),
  whole('percent-encoded dots', (token) => token.replaceAll('.', '%2E')),
  whole('fullwidth dots', (token) => token.replaceAll('.', '．')),
  whole(
    'a JWE in compact serialization',
    (_, keys) =>
      `${encode({ alg: 'dir', enc: 'A256GCM', kid: keys.kid })}..AAAAAAAAAAAAAAAA.AAAA.AAAAAAAAAAAAAAAAAAAAAA`,
    'RFC 7516, section 9',
  ),
  whole(
    'a JWS in flattened JSON serialization',
    (token) => {
      const [header, payload, good] = partsOf(token);
      return json({ protected: header, payload, signature: good });
    },
    'RFC 7515, section 7.2.2; RFC 7519, section 1 (compact only); CVE-2022-39227',
  ),
  whole(
    'a JWS in general JSON serialization',
    (token) => {
      const [header, payload, good] = partsOf(token);
      return json({ payload, signatures: [{ protected: header, signature: good }] });
    },
    'RFC 7515, section 7.2.1; RFC 7519, section 1 (compact only)',
  ),
  whole(
    'compact and JSON serialization at once',
    (token, keys) => {
      const [header, payload, good] = partsOf(token);
      const forgedPayload = encode({ ...goodClaims(keys), sub: 'root' });
      return `{"  ${header}.${forgedPayload}.":"","protected":"${header}","payload":"${payload}","signature":"${good}"}`;
    },
    'CVE-2022-39227',
  ),
];
