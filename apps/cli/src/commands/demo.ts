import { Command } from 'commander';
import { EXIT } from '../exit-codes.ts';
import { runUntilSignal, startFailed } from '../foreground.ts';
import { example } from '../help.ts';
import type { Tools } from '../session.ts';

export function demoCommand(tools: Tools): Command {
  return example(new Command('demo'), 'sallyport demo')
    .description(
      'run a control plane with an account, its endpoint and two delegates on this machine, to try things on',
    )
    .action(() =>
      runUntilSignal(async () => {
        try {
          const { startDemo } = await import('../demo/demo.ts');
          return await startDemo(tools);
        } catch (error) {
          throw startFailed('The demonstration', error, EXIT.failure);
        }
      }),
    );
}
