// Fails when a tracked file holds a secret, a trace of the machine it was written on, or something unfinished.
import { homedir } from 'node:os';
import { looseEnds } from './rules/loose-ends.ts';
import { machineTraces } from './rules/machine-traces.ts';
import { ROOT, report, repositoryFiles } from './rules/repository.ts';
import { secrets } from './rules/secrets.ts';

const files = repositoryFiles();
report([...secrets(files), ...machineTraces(files, [ROOT, homedir()]), ...looseEnds(files)]);
