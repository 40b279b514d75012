import { type Call, type Route, ROUTES, type Session } from '../calls.js';
import { ledger } from '../ledger.js';
import { random } from '../run.js';
import { isRefusal, type RequestTokens, tokensFor } from '../transport.js';
import { type Answer, observeAnswer } from '../witnesses.js';

/** A field of an operation, with its nested fields. */
interface PlannedField {
  alias: string;
  text: string;
  call: Call;
  below: PlannedField[];
  isAnswered: boolean;
}

/** The operation of one request. */
export interface Operation {
  query: string;
  fields: PlannedField[];
}

/** The results by the alias of their fields. */
export interface Result {
  data?: Fields | null;
  errors?: readonly { path?: readonly (string | number)[]; extensions?: { errorCode?: unknown } }[];
}

interface Fields {
  [alias: string]: (Answer & Fields) | (Answer & Fields)[] | null | undefined;
}

/** How the calls of an operation are planned. */
export interface Planner {
  transport: string;
  tokens: RequestTokens;
  /** The session of a graphql-ws connection. */
  session?: Session;
  /** Whether the app runs guards for nested fields. */
  guardsFields: boolean;
}

function plan({ transport, tokens, session }: Planner, route: Route): Call {
  return ledger.plan({ transport, route, tokens: tokensFor(route, tokens), ...(session && { session }) });
}

/** Without a guard, a nested field has the claims of its parent. */
function planBelow(planner: Planner, { route }: Call): Call {
  const transport = `${planner.transport}, fields below`;
  return plan({ ...planner, transport }, planner.guardsFields ? 'mine' : route);
}

/** Several fields, each a call with its own guard. */
export function queryOf(planner: Planner): Operation {
  const fields = Array.from({ length: 2 + random.below(4) }, (_, index) => {
    const route = random.pick(ROUTES);
    return fieldOf(`f${index}`, route, plan(planner, route), planner);
  });
  return { query: `{ ${fields.map(({ text }) => text).join(' ')} }`, fields };
}

/** The field of a subscription, and its nested fields for each event. */
export function subscriptionOf(planner: Planner): Operation {
  const route = random.pick(ROUTES);
  const name = `on${route[0]?.toUpperCase()}${route.slice(1)}`;
  const field = fieldOf('event', name, plan(planner, route), planner);
  return { query: `subscription { ${field.text} }`, fields: [field] };
}

function fieldOf(alias: string, name: string, call: Call, planner: Planner, depth = 0): PlannedField {
  const below = Array.from({ length: depth < 2 ? random.below(3) : 0 }, (_, index) =>
    fieldOf(`n${index}`, random.pick(['nested', 'list']), planBelow(planner, call), planner, depth + 1),
  );
  const inner = ['call', 'sub', 'jti', ...below.map(({ text }) => text)].join(' ');
  return {
    alias,
    text: `${alias}: ${name}(call: "${call.id}") { ${inner} }`,
    call,
    below,
    isAnswered: false,
  };
}

/** Observes the results of an operation, such as one event of a subscription. */
export function observeResult({ fields }: Operation, { data, errors = [] }: Result): void {
  for (const field of fields) observeField(field, data?.[field.alias]);
  for (const { path, extensions } of errors) {
    if (!isRefusal(extensions?.errorCode)) {
      ledger.report('unexpected answer', `${path?.join('.')}: ${JSON.stringify(extensions)}`);
    }
  }
}

function observeField(field: PlannedField, answered: Fields[string]): void {
  for (const answer of [answered].flat()) {
    if (!answer) continue;
    field.isAnswered = true;
    observeAnswer(answer);
    for (const below of field.below) observeField(below, answer[below.alias]);
  }
}

/** Finishes the calls of an operation: by their results, or as lost if the connection ended first. */
export function finishOperation({ fields }: Operation, isLost = false): void {
  for (const field of fields) finishField(field, isLost);
}

function finishField({ call, below, isAnswered }: PlannedField, isLost: boolean): void {
  if (isAnswered) ledger.finish(call, 'served');
  else ledger.finish(call, isLost ? 'lost' : 'refused');
  for (const field of below) {
    if (isAnswered) finishField(field, isLost);
    else leaveOut(field);
  }
}

/** The nested fields of a field without a result are left out. */
function leaveOut({ call, below }: PlannedField): void {
  ledger.finish(call, 'left out');
  for (const field of below) leaveOut(field);
}
