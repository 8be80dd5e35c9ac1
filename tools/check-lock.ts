// Fails when the lock file would not install on another machine.
import { lockFile } from './rules/lock-file.ts';
import { report, repositoryFiles } from './rules/repository.ts';

report(lockFile(repositoryFiles()));
