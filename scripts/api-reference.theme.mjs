// The parts of the layout of docs/api for which TypeDoc and typedoc-plugin-markdown have no options.
import {
  Comment,
  CommentTag,
  Converter,
  IntersectionType,
  ReflectionKind,
  Renderer,
  UnionType,
} from 'typedoc';
import { MarkdownTheme, MarkdownThemeContext, ModuleRouter } from 'typedoc-plugin-markdown';

export function load(app) {
  app.renderer.defineRouter('api-reference', Router);
  app.renderer.defineTheme('api-reference', Theme);
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const reflection of exportsOf(project)) setGroup(reflection);
  });
  // The priority runs it before TypeDoc groups the members of a class.
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => prepare(project), 1000);
  // After TypeDoc has grouped them and reported missing docstrings.
  app.renderer.on(Renderer.EVENT_BEGIN, ({ project }) => shorten(project));
}

const exportsOf = ({ children: modules }) => modules.flatMap(({ children }) => children);
const commentOf = (reflection) => (reflection.signatures?.[0] ?? reflection).comment;

/** TypeDoc groups by kind. Readers also look for errors and decorators, so these are separate groups. */
function setGroup(reflection) {
  const isDecorator = reflection.kindOf(ReflectionKind.Function) && /^[A-Z]/.test(reflection.name);
  const isError = reflection.kindOf(ReflectionKind.Class) && reflection.name.endsWith('Error');
  if (!isDecorator && !isError) return;
  const group = { kind: 'text', text: isError ? 'Errors' : 'Decorators' };
  commentOf(reflection).blockTags.push(new CommentTag('@group', [group]));
}

function prepare(project) {
  const exported = new Map(exportsOf(project).map((reflection) => [reflection.name, reflection]));
  for (const reflection of exported.values()) {
    // Most errors inherit it from their base class.
    const [constructor] = reflection.getChildrenByKind(ReflectionKind.Constructor);
    if (constructor?.inheritedFrom) project.removeReflection(constructor);
    // Nest's `ConfigurableModuleClass` has `[key: string]: any`.
    if (reflection.kindOf(ReflectionKind.Class)) delete reflection.indexSignatures;
  }
  for (const { comment } of Object.values(project.reflections)) listThrows(comment, exported);
}

/** Makes one list of all `@throws` of a docstring, with links to the errors. */
function listThrows(comment, exported) {
  const [first, ...others] = comment?.getTags('@throws') ?? [];
  if (!first) return;
  first.content = [first, ...others].flatMap(({ content }) => [
    { kind: 'text', text: '- ' },
    ...content.flatMap((part) => (part.kind === 'text' ? withLinks(part.text, exported) : [part])),
    { kind: 'text', text: '\n' },
  ]);
  comment.blockTags = comment.blockTags.filter((tag) => !others.includes(tag));
}

function withLinks(text, exported) {
  // The indent keeps further lines in the same list item.
  const words = text.replaceAll('\n', '\n  ').split(/\b([A-Z]\w+Error)(?=s?\b)/);
  return words.map((word) => {
    const target = exported.get(word);
    return target
      ? { kind: 'inline-tag', tag: '@linkcode', text: word, target }
      : { kind: 'text', text: word };
  });
}

const summaryOf = ({ comment }) => Comment.combineDisplayParts(comment?.summary);
const byName = (one, other) => one.name.localeCompare(other.name, 'en');

function shorten(project) {
  // Only exports are sorted. Members keep the order of the source.
  for (const { groups } of project.children) for (const { children } of groups) children.sort(byName);
  // TypeDoc repeats the docstring of a method for each of its overloads.
  for (const { signatures: [first, ...overloads] = [] } of Object.values(project.reflections)) {
    for (const overload of overloads) if (summaryOf(overload) === summaryOf(first)) delete overload.comment;
  }
}

/**
 * Anchors as GitHub and npm make them from headings: repeated headings get a number, which a new member would change. Properties
 * have no heading, so that their names do not take the anchors of exports.
 */
class Router extends ModuleRouter {
  buildAnchors(target, parent) {
    const isExport = parent.kindOf(ReflectionKind.Module);
    if (!isExport && !target.kindOf(ReflectionKind.Method | ReflectionKind.Accessor)) return;
    const anchor = target.name.toLowerCase();
    this.anchors.set(target, anchor);
    this.fullUrls.set(target, `${this.fullUrls.get(parent)}#${anchor}`);
  }
}

class Theme extends MarkdownTheme {
  getRenderContext(page) {
    return new Context(this, page, this.application.options);
  }
}

class Context extends MarkdownThemeContext {
  constructor(theme, page, options) {
    super(theme, page, options);
    const { reflection } = this.templates;
    this.templates.reflection = (event) =>
      event.model.isProject() ? this.contents(event.model) : reflection(event);
    const {
      declaration,
      declarationTitle,
      member,
      memberContainer,
      memberTitle,
      propertiesTable,
      unionType,
    } = this.partials;
    Object.assign(this.partials, {
      // A property of an interface begins with its type, in bold, instead of a heading.
      memberContainer: (model, given) =>
        model.kindOf(ReflectionKind.Property) ? member(model, given) : memberContainer(model, given),
      memberTitle: (model) => memberTitle(model).replace(/^`abstract` /, ''),
      // Outside a code block, because that cannot link the types of the library that options often have.
      declarationTitle: (model) =>
        model.kindOf(ReflectionKind.Property)
          ? this.outsideCode(() => declarationTitle(model))
          : declarationTitle(model),
      declaration: (model, given) => [declaration(model, given), this.unionIn(model, given)].join('\n\n'),
      typeDeclarationUnionContainer: ({ type }) => this.unionMembers(type),
      // Outside a code block, so that Prettier does not reformat it.
      unionType: (model) => this.outsideCode(() => unionType(model)),
      // A table has no room for an example.
      propertiesTable: (model, given) =>
        model.some(({ comment }) => comment?.getTag('@example'))
          ? this.partials.members(model, { headingLevel: 5 })
          : propertiesTable(model, given),
      // The class that defines a member does not matter to its user.
      inheritance: () => '',
    });
  }

  outsideCode(render) {
    const { options } = this;
    this.options = {
      getValue: (name) => (name === 'useCodeBlocks' ? false : options.getValue(name)),
      isSet: (name) => options.isSet(name),
    };
    const result = render();
    this.options = options;
    return result;
  }

  /** The members of a union that is part of an intersection: the plugin omits these. */
  unionIn({ type }, { headingLevel }) {
    const union = type instanceof IntersectionType && type.types.find((part) => part instanceof UnionType);
    return union ? `${'#'.repeat(headingLevel)} Union Members\n\n${this.unionMembers(union)}` : '';
  }

  unionMembers({ types, elementSummaries = [] }) {
    const items = types.map((type, index) => {
      const members = type.declaration?.children ?? [];
      const fields = members.map(
        ({ name, flags, type: of }) => `${name}${flags.isOptional ? '?' : ''}: ${of}`,
      );
      const code = fields.length > 0 ? `{ ${fields.join('; ')} }` : type.toString();
      const summary = this.oneLine(elementSummaries[index] ?? []);
      return [
        `- \`${code}\`${summary && `: ${summary}`}`,
        ...members.flatMap(({ name, comment }) =>
          comment ? `  - \`${name}\`: ${this.oneLine(comment.summary)}` : [],
        ),
      ].join('\n');
    });
    return items.join('\n');
  }

  /** The index: every export, by entry point and group. */
  contents(project) {
    const modules = project.children.flatMap((module) => [
      `## [${module.name}](${this.urlTo(module)})`,
      this.helpers.getCommentParts(module.comment.summary),
      ...module.groups.map(({ title, children }) => `### ${title}\n\n${this.listOf(children)}`),
    ]);
    return [`# ${project.name}`, INTRODUCTION, ...modules].join('\n\n');
  }

  listOf(reflections) {
    const items = reflections.map((reflection) => {
      const [paragraph] = this.helpers.getCommentParts(commentOf(reflection).summary).split('\n\n');
      const [sentence] = paragraph.replaceAll('\n', ' ').split(/(?<=\.) (?=[A-Z*`])/);
      return `- [${reflection.name}](${this.urlTo(reflection)}): ${sentence}`;
    });
    return items.join('\n');
  }

  oneLine(parts) {
    return this.helpers.getCommentParts(parts).replaceAll('\n', ' ');
  }
}

const INTRODUCTION =
  'What each entry point exports, from the docstrings of the source. Editors show the same text.';
