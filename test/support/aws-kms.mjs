// `aws kms <operation> --option value … [--query …] [--output text]`, limited to what the documents use.
import { parseArgs } from 'node:util';
import jmespath from 'jmespath';

const sdk = await import('@aws-sdk/client-kms');
const pascalCase = (name) => name.replace(/(^|-)([a-z])/g, (_, dash, letter) => letter.toUpperCase());
const asText = (value) => (Array.isArray(value) ? value.map(asText).join('\t') : String(value ?? 'None'));

const [service, operation, ...rest] = process.argv.slice(2);
const Command = sdk[`${pascalCase(operation)}Command`];
if (service !== 'kms' || !Command) throw new Error(`unknown command: ${service} ${operation}`);

const names = rest.filter((word) => word.startsWith('--')).map((word) => word.slice(2));
const { values } = parseArgs({
  args: rest,
  options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])),
});
const { query, output, ...input } = values;
const { $metadata: _, ...answer } = await new sdk.KMSClient().send(
  new Command(Object.fromEntries(Object.entries(input).map(([name, value]) => [pascalCase(name), value]))),
);
const result = query ? jmespath.search(answer, query) : answer;
if (Object.keys(answer).length > 0)
  console.log(output === 'text' ? asText(result) : JSON.stringify(result, undefined, 2));
