import { appendMember, type Case, goodClaims, goodHeader, type Keys, signed } from '../support.js';

const OBJECT = 'RFC 7519, section 7.2, steps 3 and 10 (a JSON object)';
const GRAMMAR = 'RFC 8259, section 2';
/** In JSON notation. */
export const ESCAPED_NAMES = [
  String.raw`\\`,
  String.raw`\n`,
  String.raw`\"`,
  String.raw`\u0000`,
  String.raw`\ud800`,
  String.raw`a\"b`,
  String.raw`a\\`,
];

const DUPLICATE = 'RFC 7515, section 4; RFC 7519, section 4 (rejected, or the last one counts)';
const ESCAPED =
  'nodejs/node#63785 (a name with an escape is taken for one with a backslash that was read before)';
const PROTOTYPE = 'CWE-1321 (a merge of the claims changes the prototype)';

/** Another JSON text as the payload, then as the header, signed by the trusted key. */
function eachPart(what: string, source: string, respell: (text: string) => string): Case[] {
  return [
    {
      name: `a payload ${what}`,
      source,
      make: (keys) => signed(keys, goodHeader(keys), respell(JSON.stringify(goodClaims(keys)))),
    },
    {
      name: `a header ${what}`,
      source,
      make: (keys) => signed(keys, respell(JSON.stringify(goodHeader(keys)))),
    },
  ];
}

const insert = (member: string) => (text: string) => `{${member},${text.slice(1)}`;

const inHeader = (name: string, source: string, spell: (keys: Keys) => string): Case => ({
  name,
  source,
  make: (keys) => signed(keys, spell(keys)),
});
const inPayload = (name: string, source: string, spell: (keys: Keys) => string): Case => ({
  name,
  source,
  make: (keys) => signed(keys, goodHeader(keys), spell(keys)),
});

/** Readers that count delimiters, or compare names with their escapes, would miss these duplicates. */
export const TWICE: Record<string, string> = {
  'whose name and values contain colons': '"a:b":1,"a:b":"x:y"',
  'whose name is a quotation mark': String.raw`"\"":1,"\"":2`,
  'whose name is a backslash': String.raw`"\\":1,"\\":":"`,
  'whose name looks like an index': '"1":1,"1":2',
  'whose name is beyond the BMP, once escaped': String.raw`"\ud83d\ude00":1,"😀":2`,
  'whose name is a lone surrogate': String.raw`"\ud800":1,"\uD800":2`,
  'whose first value is an object with members': '"o":{"a":1,"b":2},"o":1',
  'whose last value is an object with members': '"o":1,"o":{"a":1}',
  'named __proto__': '"__proto__":1,"__proto__":null',
};

function without(object: object, name: string): object {
  return Object.fromEntries(Object.entries(object).filter(([key]) => key !== name));
}

export const json: readonly Case[] = [
  ...eachPart('that is null', OBJECT, () => 'null'),
  ...eachPart('that is true', OBJECT, () => 'true'),
  ...eachPart('that is a number', OBJECT, () => '42'),
  ...eachPart('that is a string', OBJECT, (text) => JSON.stringify(text)),
  ...eachPart('that is an empty string', OBJECT, () => '""'),
  ...eachPart('that is an empty array', OBJECT, () => '[]'),
  ...eachPart('in an array', OBJECT, (text) => `[${text}]`),
  ...eachPart('in an array of pairs', OBJECT, (text) =>
    JSON.stringify(Object.entries(JSON.parse(text) as object)),
  ),
  ...eachPart('that is empty', OBJECT, () => ''),
  ...eachPart('of whitespace', OBJECT, () => ' \n\t'),
  ...eachPart('that is a bare word', GRAMMAR, () => 'undefined'),
  ...eachPart('with a trailing comma', GRAMMAR, (text) => text.replace(/\}$/, ',}')),
  ...eachPart('with a leading comma', GRAMMAR, (text) => text.replace(/^\{/, '{,')),
  ...eachPart('without its last bracket', GRAMMAR, (text) => text.slice(0, -1)),
  ...eachPart('with an extra bracket', GRAMMAR, (text) => `${text}}`),
  ...eachPart('followed by a second object', GRAMMAR, (text) => `${text}{}`),
  ...eachPart('with a trailing NUL', GRAMMAR, (text) => `${text}\u0000`),
  ...eachPart('with a leading vertical tab', GRAMMAR, (text) => `\v${text}`),
  ...eachPart('with a leading no-break space', GRAMMAR, (text) => `\u00a0${text}`),
  ...eachPart('with a newline in a string', GRAMMAR, insert('"x":"\n"')),
  ...eachPart('with an unknown escape', GRAMMAR, insert(String.raw`"x":"\x41"`)),
  ...eachPart('with a cut-off escape', GRAMMAR, insert(String.raw`"x":"\u00"`)),
  ...eachPart('in single quotes', GRAMMAR, (text) => text.replaceAll('"', "'")),
  ...eachPart('with names without quotes', GRAMMAR, insert('x:1')),
  ...eachPart('with a comment', GRAMMAR, (text) => `/* */${text}`),
  ...eachPart('with an anti-hijacking prefix', GRAMMAR, (text) => `)]}',\n${text}`),
  ...eachPart('with NaN', GRAMMAR, insert('"x":NaN')),
  ...eachPart('with Infinity', GRAMMAR, insert('"x":Infinity')),
  ...eachPart('with -Infinity', GRAMMAR, insert('"x":-Infinity')),
  ...eachPart('with undefined', GRAMMAR, insert('"x":undefined')),
  ...eachPart('with a number in hex', GRAMMAR, insert('"x":0x10')),
  ...eachPart('with a number that starts with zero', GRAMMAR, insert('"x":010')),
  ...eachPart('with a number that starts with plus', GRAMMAR, insert('"x":+1')),
  ...eachPart('with a number that ends with a dot', GRAMMAR, insert('"x":1.')),
  ...eachPart('with True', GRAMMAR, insert('"x":True')),

  inHeader('alg twice, the last none', DUPLICATE, (keys) => appendMember(goodHeader(keys), '"alg":"none"')),
  inHeader('alg twice, the last HS256', DUPLICATE, (keys) => appendMember(goodHeader(keys), '"alg":"HS256"')),
  inHeader('kid twice, the last unknown', DUPLICATE, (keys) =>
    appendMember(goodHeader(keys), '"kid":"other"'),
  ),
  inHeader('kid twice, the last escaped', DUPLICATE, (keys) =>
    appendMember(goodHeader(keys), String.raw`"\u006bid":"other"`),
  ),
  inPayload('exp twice, the last past', DUPLICATE, (keys) => appendMember(goodClaims(keys), '"exp":1')),
  inPayload('exp twice, the last a string', DUPLICATE, (keys) =>
    appendMember(goodClaims(keys), '"exp":"never"'),
  ),
  inPayload('exp twice, the last null', DUPLICATE, (keys) => appendMember(goodClaims(keys), '"exp":null')),
  inPayload('aud twice, the last another value', DUPLICATE, (keys) =>
    appendMember(goodClaims(keys), '"aud":"bills"'),
  ),
  inPayload('iss twice, the last another value', DUPLICATE, (keys) =>
    appendMember(goodClaims(keys), '"iss":"https://attacker.example"'),
  ),
  inPayload('nbf twice, the last in the future', DUPLICATE, (keys) =>
    appendMember(goodClaims(keys), `"nbf":1,"nbf":${keys.now + 600}`),
  ),

  inHeader('alg twice, the last ES256', DUPLICATE, (keys) =>
    insert('"alg":"none"')(JSON.stringify(goodHeader(keys))),
  ),
  inHeader('alg twice, both ES256', DUPLICATE, (keys) =>
    insert('"alg":"ES256"')(JSON.stringify(goodHeader(keys))),
  ),
  inPayload('exp twice, the last in the future', DUPLICATE, (keys) =>
    insert('"exp":1')(JSON.stringify(goodClaims(keys))),
  ),
  inPayload('a claim twice, once escaped', DUPLICATE, (keys) =>
    appendMember(goodClaims(keys), String.raw`"role":"user","\u0072ole":"admin"`),
  ),
  inPayload('a nested member twice', DUPLICATE, (keys) =>
    appendMember(goodClaims(keys), '"a":[{"b":{"c":1,"d":{},"c":1}}]'),
  ),
  inPayload('a member with an empty name twice', DUPLICATE, (keys) =>
    appendMember(goodClaims(keys), '"":1,"":2'),
  ),

  ...Object.entries(TWICE).flatMap(([what, members]) => [
    inPayload(`a claim twice ${what}`, DUPLICATE, (keys) => appendMember(goodClaims(keys), members)),
    inHeader(`a header parameter twice ${what}`, DUPLICATE, (keys) =>
      appendMember(goodHeader(keys), members),
    ),
  ]),

  ...ESCAPED_NAMES.map((name) =>
    inPayload(`a claim named ${name}`, ESCAPED, (keys) => appendMember(goodClaims(keys), `"${name}":1`)),
  ),
  inPayload('__proto__ as a claim', PROTOTYPE, (keys) =>
    appendMember(goodClaims(keys), '"__proto__":{"admin":true}'),
  ),
  inPayload('__proto__ as a claim, escaped', PROTOTYPE, (keys) =>
    appendMember(goodClaims(keys), String.raw`"\u005f_proto__":{"admin":true}`),
  ),
  inPayload('__proto__ within a claim', PROTOTYPE, (keys) =>
    appendMember(goodClaims(keys), '"a":[{"b":{"__proto__":{"admin":true}}}]'),
  ),
  inHeader('__proto__ as a header parameter', PROTOTYPE, (keys) =>
    appendMember(goodHeader(keys), '"__proto__":{"crit":["x"]}'),
  ),
  inHeader('alg and kid only in __proto__', 'RFC 7515, section 4.1.1', (keys) =>
    appendMember({ typ: 'JWT' }, `"__proto__":${JSON.stringify(goodHeader(keys))}`),
  ),
  inHeader('alg only in __proto__', 'RFC 7515, section 4.1.1', (keys) =>
    appendMember(without(goodHeader(keys), 'alg'), '"__proto__":{"alg":"ES256"}'),
  ),
  inHeader('alg only in constructor.prototype', 'RFC 7515, section 4.1.1', (keys) =>
    appendMember(without(goodHeader(keys), 'alg'), '"constructor":{"prototype":{"alg":"ES256"}}'),
  ),
  inHeader('kid only in __proto__', 'RFC 7515, section 4.1.4', (keys) =>
    appendMember(without(goodHeader(keys), 'kid'), `"__proto__":{"kid":"${keys.kid}"},"kid":"other"`),
  ),
  inPayload('iss and aud only in __proto__', 'RFC 7519, section 4.1', (keys) =>
    appendMember({ sub: 'root' }, `"__proto__":${JSON.stringify(goodClaims(keys))}`),
  ),
  inPayload('aud only in __proto__', 'RFC 7519, section 4.1.3', (keys) =>
    appendMember(without(goodClaims(keys), 'aud'), '"__proto__":{"aud":"orders"}'),
  ),
  inPayload('iss only in constructor.prototype', 'RFC 7519, section 4.1.1', (keys) =>
    appendMember(
      without(goodClaims(keys), 'iss'),
      '"constructor":{"prototype":{"iss":"https://auth.example"}}',
    ),
  ),
  {
    name: 'exp only in __proto__, where exp is required',
    source: 'RFC 7519, section 4.1.4',
    make: (keys) =>
      signed(
        keys,
        goodHeader(keys),
        appendMember(without(goodClaims(keys), 'exp'), `"__proto__":{"exp":${keys.now + 600}}`),
      ),
    options: { requiredClaims: ['exp'] },
  },
  ...['constructor', '__proto__', 'toString', 'hasOwnProperty'].map((claim) => ({
    name: `no ${claim} where it is required, although the prototype has it`,
    source: 'RFC 7519, section 4',
    make: (keys: Keys) => signed(keys),
    options: { requiredClaims: [claim] },
  })),
];
