import type { Argument, Command, Option } from 'commander';

export interface CompletionOption {
  /** `--mode`, `-h` */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  readonly values: readonly string[];
  /** The value is the path of a file or folder. */
  readonly isPath: boolean;
}

/** One command of the tree, as a shell's completion sees it. */
export interface CompletionNode {
  /** The words that lead to it: '' for the program itself, 'endpoint create' for a verb. */
  readonly words: string;
  readonly verbs: ReadonlyArray<{ readonly name: string; readonly description: string }>;
  /** Values that its arguments allow. */
  readonly values: readonly string[];
  readonly options: readonly CompletionOption[];
}

export interface CompletionModel {
  /** The program itself first, then every noun and verb. */
  readonly nodes: readonly CompletionNode[];
  /** The options that every command takes. */
  readonly globals: readonly CompletionOption[];
}

/** The program's tree, flattened. */
export function completionModel(program: Command): CompletionModel {
  const visit = (command: Command, words: readonly string[]): CompletionNode[] => [
    {
      words: words.join(' '),
      verbs: command.commands.map((child) => ({ name: child.name(), description: child.description() })),
      values: command.registeredArguments.flatMap((argument: Argument) => argument.argChoices ?? []),
      options: command.parent === null ? [] : command.options.map(optionOf),
    },
    ...command.commands.flatMap((child) => visit(child, [...words, child.name()])),
  ];
  return { nodes: visit(program, []), globals: [...program.options.map(optionOf), HELP] };
}

const HELP: CompletionOption = {
  flags: ['--help', '-h'],
  description: 'print this help',
  takesValue: false,
  values: [],
  isPath: false,
};

function optionOf(option: Option): CompletionOption {
  return {
    flags: [option.long, option.short].filter((flag) => flag !== undefined),
    description: option.description,
    takesValue: option.required || option.optional,
    values: option.argChoices ?? [],
    isPath: /<(file|folder|path)>/.test(option.flags),
  };
}

/** The flags of all options that take a value, on whichever command: the word after one of them is no verb. */
export function valuedFlags({ nodes, globals }: CompletionModel): string[] {
  const options = [...globals, ...nodes.flatMap((node) => node.options)];
  return [...new Set(options.filter((option) => option.takesValue).flatMap((option) => option.flags))];
}

/** The words that lead to each command below the program itself. */
export const paths = ({ nodes }: CompletionModel): string[] =>
  nodes.map((node) => node.words).filter((words) => words !== '');

/** The long flags of the command's own options and of the global ones. */
export const longFlags = (node: CompletionNode, { globals }: CompletionModel) =>
  [...node.options, ...globals].flatMap((option) =>
    option.flags.filter((flag) => flag.startsWith('--')).map((flag) => ({ flag, description: option.description })),
  );
