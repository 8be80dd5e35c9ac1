// Fails when an environment variable is read outside a config/ folder.
import { environmentReads } from './rules/environment-reads.ts';
import { report, repositoryFiles } from './rules/repository.ts';

report(environmentReads(repositoryFiles()));
