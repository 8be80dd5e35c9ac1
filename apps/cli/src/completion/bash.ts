import {
  type CompletionModel,
  type CompletionNode,
  type CompletionOption,
  longFlags,
  paths,
  valuedFlags,
} from './model.ts';

/** For bash 3.2 (macOS) and newer, without the bash-completion package. */
export function bashScript(model: CompletionModel): string {
  return `# bash completion for sallyport. Load it with: source <(sallyport completion bash)
_sallyport() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD-1]} at='' next word words='' i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    case "$word" in
      --) return ;;
      ${valuedFlags(model).join('|')}) ((i++)); continue ;;
      -*) continue ;;
    esac
    next="\${at:+$at }$word"
    case "$next" in
      ${paths(model)
        .map((words) => `'${words}'`)
        .join('|')}) at=$next ;;
    esac
  done
  case "$at:$previous" in
${[...model.nodes.flatMap((node) => valueCases(`'${node.words}:'`, node.options)), ...valueCases('*:', model.globals)].join('\n')}
  esac
  case "$at" in
${model.nodes.map((node) => `    '${node.words}') words='${wordsOf(node, model)}' ;;`).join('\n')}
  esac
  if [[ $current != -* ]]; then words=" $words "; words=\${words// -*/}; fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _sallyport sallyport
`;
}

/** Verbs and values come first, so that everything from the first dash on can be left out. */
const wordsOf = (node: CompletionNode, model: CompletionModel): string =>
  [...node.verbs.map((verb) => verb.name), ...node.values, ...longFlags(node, model).map(({ flag }) => flag)].join(' ');

function valueCases(at: string, options: readonly CompletionOption[]): string[] {
  return options
    .filter((option) => option.takesValue)
    .map((option) => {
      const reply = option.isPath ? 'compgen -f' : `compgen -W '${option.values.join(' ')}'`;
      return `    ${option.flags.map((flag) => at + flag).join('|')}) COMPREPLY=($(${reply} -- "$current")); return ;;`;
    });
}
