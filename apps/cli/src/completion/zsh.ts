import {
  type CompletionModel,
  type CompletionNode,
  type CompletionOption,
  longFlags,
  paths,
  valuedFlags,
} from './model.ts';

/** A completion function for zsh's own system (compinit). */
export function zshScript(model: CompletionModel): string {
  return `#compdef sallyport
# zsh completion for sallyport. Load it with: source <(sallyport completion zsh)
_sallyport() {
  local at='' following word i previous=\${words[CURRENT-1]}
  local -a candidates switches
  for ((i = 2; i < CURRENT; i++)); do
    word=\${words[i]}
    case "$word" in
      --) _default; return ;;
      ${valuedFlags(model).join('|')}) ((i++)); continue ;;
      -*) continue ;;
    esac
    following="\${at:+$at }$word"
    case "$following" in
      ${paths(model).map(quote).join('|')}) at=$following ;;
    esac
  done
  case "$at:$previous" in
${[...model.nodes.flatMap((node) => valueCases(`'${node.words}:'`, node.options)), ...valueCases('*:', model.globals)].join('\n')}
  esac
  case "$at" in
${model.nodes.map((node) => nodeCase(node, model)).join('\n')}
  esac
  if [[ \${words[CURRENT]} == -* ]]; then _describe option switches; else _describe command candidates; fi
}
compdef _sallyport sallyport
`;
}

function nodeCase(node: CompletionNode, model: CompletionModel): string {
  const candidates = [...node.verbs.map((verb) => described(verb.name, verb.description)), ...node.values.map(quote)];
  const switches = longFlags(node, model).map(({ flag, description }) => described(flag, description));
  return `    '${node.words}')\n      candidates=(${candidates.join(' ')})\n      switches=(${switches.join(' ')}) ;;`;
}

function valueCases(at: string, options: readonly CompletionOption[]): string[] {
  return options
    .filter((option) => option.takesValue)
    .map((option) => {
      const reply = option.isPath ? '_files' : option.values.length > 0 ? `compadd -- ${option.values.join(' ')}` : ':';
      return `    ${option.flags.map((flag) => at + flag).join('|')}) ${reply}; return ;;`;
    });
}

const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
const described = (name: string, description: string) => quote(`${name}:${description.replaceAll(':', '\\:')}`);
