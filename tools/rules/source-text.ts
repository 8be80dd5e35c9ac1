// Just enough of a lexer to tell code from comments and strings. A parser would know more, and would be a dependency.

const TOKEN =
  /\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/*\\\n[])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])*\/\w*|[\w$]+|\S/y;

/** Words after which a slash begins a regular expression and is no division. */
const BEFORE_REGEX = new Set([
  'return',
  'typeof',
  'case',
  'in',
  'of',
  'do',
  'else',
  'void',
  'delete',
  'throw',
  'await',
]);

/** The text with its comments blanked: same length, same lines. */
export const withoutComments = (text: string): string => blank(text, false);

/** The text with comments and what is inside strings, templates and regular expressions blanked: same length, same lines. */
export const codeOnly = (text: string): string => blank(text, true);

function blank(text: string, strings: boolean): string {
  const parts: string[] = [];
  /** How many braces are open inside each `${` that has not ended yet. */
  const templates: number[] = [];
  let previous = '';
  let at = 0;
  const take = (end: number, keep: boolean, edge = 0) => {
    const part = text.slice(at, end);
    parts.push(keep ? part : part.slice(0, edge) + spaces(part.slice(edge, part.length - edge)) + lastOf(part, edge));
    at = end;
  };
  while (at < text.length) {
    TOKEN.lastIndex = at;
    let token = TOKEN.exec(text)?.[0] ?? '';
    if (/^\s|^\/[/*]/.test(token)) {
      take(at + token.length, /^\s/.test(token));
      continue;
    }
    if (token.startsWith('/') && token.length > 1 && !beginsRegex(previous)) token = '/';
    const open = templates.at(-1);
    if (token === '`' || (token === '}' && open === 0)) {
      if (token === '}') templates.pop();
      const end = templateEnd(text, at + 1);
      if (text[end - 1] === '{') templates.push(0);
      take(end, !strings, 1);
      previous = '`';
      continue;
    }
    if (open !== undefined && (token === '{' || token === '}')) {
      templates[templates.length - 1] = open + (token === '{' ? 1 : -1);
    }
    take(at + token.length, !strings || token.length === 1 || !/^['"/]/.test(token), 1);
    previous = token;
  }
  return parts.join('');
}

const spaces = (text: string): string => text.replace(/[^\n]/g, ' ');
const lastOf = (text: string, count: number): string => (count === 0 ? '' : text.slice(-count));

const beginsRegex = (previous: string): boolean =>
  previous === '' || BEFORE_REGEX.has(previous) || /^[(,=:[!&|?{};+\-*%<>~^]$/.test(previous);

/** Where the template text that begins here stops: behind its closing backtick, or behind the `${` of a value. */
function templateEnd(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '`') return at + 1;
    else if (text[at] === '$' && text[at + 1] === '{') return at + 2;
  }
  return text.length;
}
