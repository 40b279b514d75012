import { type ModulesContainer, MetadataScanner } from '@nestjs/core';
import type { Levels } from './access.js';

/** The keys of the metadata that Nest's decorators of handlers set. */
const HTTP_METHOD = 'method';
const HTTP_PATH = 'path';
const GATEWAY = 'websockets:is_gateway';
const WEBSOCKET_MESSAGE = 'websockets:message_mapping';
const MICROSERVICE_HANDLER = 'microservices:handler_type';
const GRAPHQL_TYPE = 'graphql:resolver_type';
const GRAPHQL_FIELD = 'graphql:resolve_property';
const GRAPHQL_REFERENCE = 'graphql:resolve_reference';
/** The injection token of GraphQLModule's options. */
const GRAPHQL_OPTIONS = 'GqlModuleOptions';

export type HandlerKind =
  | 'HTTP route'
  | 'GraphQL query'
  | 'GraphQL mutation'
  | 'GraphQL subscription'
  | 'GraphQL field'
  | 'GraphQL reference'
  | 'WebSocket connection'
  | 'WebSocket message'
  | 'microservice handler';

/** A method of the app that Nest calls for a client. */
export interface Handler {
  readonly kind: HandlerKind;
  readonly className: string;
  readonly method: string;
  readonly levels: Levels;
}

type Module = ModulesContainer extends Map<string, infer Value> ? Value : never;
type Wrapper = Module['providers'] extends Map<unknown, infer Value> ? Value : never;
type Class = Levels[1];
type Method = Levels[0];
type KindOf = (method: Method, name: string, parent: Class) => HandlerKind | undefined;

/** The options of GraphQLModule, as far as they are used here. */
interface GraphqlOptions {
  include?: unknown[];
  fieldResolverEnhancers?: unknown[];
}

/** All handlers of an app: those of controllers, of gateways, and of the resolvers that GraphQLModule uses. */
export function handlersOf(modules: ModulesContainer): Handler[] {
  const all = [...modules.values()];
  const controllers = all.flatMap((module) => [...module.controllers.values()].flatMap(classOf));
  const resolvers = graphqlModules(all).flatMap(({ providers }) => [...providers.values()]);
  return [
    ...methodsOf(controllers, routeKind),
    ...methodsOf(resolvers.flatMap(classOfInstance), resolverKind),
    ...methodsOf(gatewaysOf(modules), gatewayKind),
    ...methodsOf(controllers, microserviceKind),
  ];
}

export function gatewaysOf(modules: ModulesContainer): Class[] {
  const classes = [...modules.values()].flatMap(({ providers }) => [...providers.values()].flatMap(classOf));
  return classes.filter((one) => Reflect.hasMetadata(GATEWAY, one));
}

/** Whether Nest runs guards for the fields and the references of resolvers. */
export function guardsFields(modules: ModulesContainer): boolean {
  return graphqlOptions([...modules.values()]).some(({ fieldResolverEnhancers }) =>
    fieldResolverEnhancers?.includes('guards'),
  );
}

const routeKind: KindOf = (method) =>
  Reflect.hasMetadata(HTTP_METHOD, method) && Reflect.hasMetadata(HTTP_PATH, method)
    ? 'HTTP route'
    : undefined;

const microserviceKind: KindOf = (method) =>
  Reflect.hasMetadata(MICROSERVICE_HANDLER, method) ? 'microservice handler' : undefined;

const gatewayKind: KindOf = (method, name) => {
  if (name === 'handleConnection') return 'WebSocket connection';
  return Reflect.hasMetadata(WEBSOCKET_MESSAGE, method) ? 'WebSocket message' : undefined;
};

const ROOT_KINDS: ReadonlyMap<unknown, HandlerKind> = new Map([
  ['Query', 'GraphQL query'],
  ['Mutation', 'GraphQL mutation'],
  ['Subscription', 'GraphQL subscription'],
]);

const resolverKind: KindOf = (method, name, parent) => {
  const type: unknown =
    Reflect.getMetadata(GRAPHQL_TYPE, method) ?? Reflect.getMetadata(GRAPHQL_TYPE, parent);
  const root = ROOT_KINDS.get(type);
  if (root) return root;
  if (Reflect.getMetadata(GRAPHQL_REFERENCE, method)) return 'GraphQL reference';
  // __resolveType chooses a type, and returns nothing to a client.
  const isField = Reflect.getMetadata(GRAPHQL_FIELD, method) && name !== '__resolveType';
  return isField ? 'GraphQL field' : undefined;
};

/** The modules whose resolvers GraphQLModule uses: all, or those in its `include` and the modules that they import. */
function graphqlModules(all: readonly Module[]): Module[] {
  const options = graphqlOptions(all);
  if (options.length === 0) return [];
  if (options.some(({ include = [] }) => include.length === 0)) return [...all];
  const included = new Set(options.flatMap(({ include = [] }) => include));
  const reached = new Set(all.filter(({ metatype }) => included.has(metatype)));
  // The iteration of a Set includes members that are added meanwhile.
  for (const { imports } of reached) for (const imported of imports) reached.add(imported);
  return [...reached];
}

function graphqlOptions(all: readonly Module[]): GraphqlOptions[] {
  const found = all.map(({ providers }): unknown => providers.get(GRAPHQL_OPTIONS)?.instance);
  return found.filter(
    (options): options is GraphqlOptions => typeof options === 'object' && options !== null,
  );
}

/** The class of a provider; none for a value or a factory, where Nest does not look for gateways. */
function classOf({ isNotMetatype, metatype }: Wrapper): Class[] {
  return isNotMetatype ? [] : [metatype as Class];
}

/** The class of a provider's instance, where Nest looks for resolvers. */
function classOfInstance(wrapper: Wrapper): Class[] {
  if (!wrapper.isNotMetatype) return classOf(wrapper);
  const instance: unknown = wrapper.instance;
  if (typeof instance !== 'object' || instance === null) return [];
  const { constructor } = (Reflect.getPrototypeOf(instance) ?? {}) as { constructor?: unknown };
  return typeof constructor === 'function' ? [constructor as Class] : [];
}

/** Each method once, even if several modules provide its class. */
function methodsOf(classes: readonly Class[], kindOf: KindOf): Handler[] {
  const scanner = new MetadataScanner();
  return [...new Set(classes)].flatMap((parent) => {
    const prototype = parent.prototype as Record<string, Method> | undefined;
    if (!prototype) return [];
    return scanner.getAllMethodNames(prototype).flatMap((name): Handler[] => {
      const method = prototype[name] as Method;
      const kind = kindOf(method, name, parent);
      return kind ? [{ kind, className: parent.name, method: name, levels: [method, parent] }] : [];
    });
  });
}
