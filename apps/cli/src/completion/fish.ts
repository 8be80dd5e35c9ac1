import { type CompletionModel, type CompletionNode, type CompletionOption, paths, valuedFlags } from './model.ts';

/** For fish 3 and newer. */
export function fishScript(model: CompletionModel): string {
  return `# fish completion for sallyport. Load it with: sallyport completion fish | source
function __sallyport_at
    set -l at ''
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
            continue
        end
        switch $word
            case ${valuedFlags(model).map(quote).join(' ')}
                set skip 1
                continue
            case '-*'
                continue
        end
        switch (string trim "$at $word")
            case ${paths(model).map(quote).join(' ')}
                set at (string trim "$at $word")
        end
    end
    test "$at" = "$argv[1]"
end
complete -c sallyport -f
${model.globals.map((option) => `complete -c sallyport ${optionArguments(option)}`).join('\n')}
${model.nodes.flatMap(linesOf).join('\n')}
`;
}

function linesOf(node: CompletionNode): string[] {
  const start = `complete -c sallyport -n ${quote(`__sallyport_at ${quote(node.words)}`)}`;
  return [
    ...node.verbs.map((verb) => `${start} -a ${quote(verb.name)} -d ${quote(verb.description)}`),
    ...node.values.map((value) => `${start} -a ${quote(value)}`),
    ...node.options.map((option) => `${start} ${optionArguments(option)}`),
  ];
}

function optionArguments(option: CompletionOption): string {
  const names = option.flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`));
  return [...names, ...valueArguments(option), `-d ${quote(option.description)}`].join(' ');
}

function valueArguments(option: CompletionOption): string[] {
  if (!option.takesValue) return [];
  if (option.isPath) return ['-r', '-F'];
  return option.values.length === 0 ? ['-x'] : ['-x', '-a', quote(option.values.join(' '))];
}

const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
