import type { Command } from 'commander';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import { completionModel } from './model.ts';
import { zshScript } from './zsh.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const GENERATORS = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** A script that the shell reads once; it knows the tree by heart and never starts the program. */
export const completionScript = (shell: Shell, program: Command): string => GENERATORS[shell](completionModel(program));
