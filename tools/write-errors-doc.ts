// Writes the table of docs/errors.md from the ledger of error codes.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_LEDGER } from '@sallyport/protocol';
import { ERRORS_PAGE, withLedgerTable } from './rules/error-ledger.ts';
import { ROOT } from './rules/repository.ts';

const file = join(ROOT, ERRORS_PAGE);
writeFileSync(file, withLedgerTable(readFileSync(file, 'utf8'), ERROR_LEDGER));
