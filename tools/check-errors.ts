// Fails when docs/errors.md and the ledger of error codes disagree, or when nothing raises a code of the ledger.
import { ERROR_LEDGER } from '@sallyport/protocol';
import { errorLedger } from './rules/error-ledger.ts';
import { report, repositoryFiles } from './rules/repository.ts';

report(errorLedger(repositoryFiles(), ERROR_LEDGER));
