import { type Document, isAlias, type Node, parseDocument, visit } from 'yaml';
import type { TextPart } from './text-part.ts';

export interface YamlFault {
  readonly offset: number;
  readonly reason: string;
}

/**
 * A stretch of YAML that holds one document: a document of the file, or YAML kept inside a scalar (the upgrader's
 * `config.yaml` in its ConfigMap). Offsets of nodes are local to `text`; `place` carries edits to the file.
 */
export interface YamlPart extends TextPart {
  readonly text: string;
  readonly eol: '\n' | '\r\n';
  readonly document: Document.Parsed;
  readonly fault: YamlFault | undefined;
}

export interface ParsedYaml {
  readonly document: Document.Parsed;
  readonly fault: YamlFault | undefined;
}

// Callers read a file, look into its Secrets, migrate it and migrate it again to be sure: each time the same documents. What
// was read lately is kept, up to this many characters; documents are never changed.
const mostKept = 262_144;
const lately = new Map<string, ParsedYaml>();
let kept = 0;

/** Reads one document, or takes it from what was read lately. */
export function parseYaml(text: string): ParsedYaml {
  const known = lately.get(text);
  if (known) {
    lately.delete(text); // and last in line again
    lately.set(text, known);
    return known;
  }
  const fresh = parse(text);
  if (text.length > mostKept) return fresh;
  lately.set(text, fresh);
  kept += text.length;
  for (const oldest of lately.keys()) {
    if (kept <= mostKept) break;
    lately.delete(oldest);
    kept -= oldest.length;
  }
  return fresh;
}

/** Parses one document. Duplicate keys are let through: people make them, and the migration merges or refuses them itself. */
function parse(text: string): ParsedYaml {
  const document = parseDocument(text, {
    uniqueKeys: false,
    merge: true,
    prettyErrors: false,
    logLevel: 'silent',
    stringKeys: false,
  });
  const error = document.errors[0];
  if (error) {
    // The parser runs out of stack on thousands of levels, and says so in the engine's words.
    const reason = /call stack/i.test(error.message) ? 'It is nested too deeply' : error.message;
    return { document, fault: { offset: error.pos[0], reason } };
  }
  return { document, fault: text.includes('*') ? aliasFault(document) : undefined };
}

/** A few lines of nested aliases can unfold into gigabytes (the "billion laughs"): the parser counts, and gives up. */
function aliasBomb(document: Document.Parsed): YamlFault | undefined {
  try {
    document.toJS();
    return undefined;
  } catch (error) {
    return { offset: 0, reason: error instanceof Error ? error.message : String(error) };
  }
}

function aliasFault(document: Document.Parsed): YamlFault | undefined {
  let fault: YamlFault | undefined;
  let count = 0;
  visit(document, {
    Alias(_, alias) {
      count++;
      if (alias.resolve(document)) return undefined;
      fault = { offset: alias.range?.[0] ?? 0, reason: `The alias *${alias.source} has no anchor before it` };
      return visit.BREAK;
    },
  });
  return fault ?? (count > 0 ? aliasBomb(document) : undefined);
}

/** The offsets of the aliases that stand for this node. */
export function aliasesOf(document: Document.Parsed, node: Node): number[] {
  const offsets: number[] = [];
  visit(document, {
    Alias(_, alias) {
      if (isAlias(alias) && alias.resolve(document) === node && alias.range) offsets.push(alias.range[0]);
    },
  });
  return offsets;
}
