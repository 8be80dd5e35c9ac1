import { setImmediate as nextTurn } from 'node:timers/promises';
import { SallyportError } from '@sallyport/protocol';
import type { Kysely } from 'kysely';
import type { Schema } from '../database/schema.ts';
import type { StoredCrl } from './crl-store.ts';

/**
 * Bytes written at once. The embedded database writes on the event loop and waits for the disk: some MB in one
 * transaction hold everybody for 20 ms and more.
 */
const PART_BYTES = 256 * 1024;
/** Parts that no list names are of an upload under way, or of one that a crash has cut short. */
const FORGOTTEN_AFTER_MS = 3_600_000;

type List = Pick<StoredCrl, 'accountId' | 'digest' | 'serialsBytes'>;

/** The revoked serial numbers of lists, in pieces that are written before the list that names them. */
export class CrlParts {
  readonly #database: Kysely<Schema>;

  constructor(database: Kysely<Schema>) {
    this.#database = database;
  }

  /** Each piece in a transaction of its own; nobody looks at them before a list names them. */
  async write(accountId: string, digest: string, bytes: Uint8Array, at: number): Promise<void> {
    for (let part = 0; part < partsOf(bytes.length); part++) {
      const columns = { bytes: bytes.subarray(part * PART_BYTES, (part + 1) * PART_BYTES), written_at: at };
      await this.#database
        .insertInto('crl_parts')
        .values({ account_id: accountId, digest, part, ...columns })
        .onConflict((conflict) => conflict.columns(['account_id', 'digest', 'part']).doUpdateSet(columns))
        .execute();
      await nextTurn();
    }
  }

  /** Null when they are not all there: the list was replaced, or never whole. */
  async read({ accountId, digest, serialsBytes }: List): Promise<Uint8Array | null> {
    const rows = await this.#database
      .selectFrom('crl_parts')
      .select('bytes')
      .where('account_id', '=', accountId)
      .where('digest', '=', digest)
      .orderBy('part')
      .execute();
    const bytes = Buffer.concat(rows.map((row) => row.bytes));
    return bytes.length === serialsBytes ? bytes : null;
  }

  /** Lets go of the parts of `last`. Throws CONFLICT when those of `list` are not all there: another upload was quicker. */
  async replace(list: StoredCrl, last: StoredCrl | null): Promise<void> {
    if (last !== null && last.digest !== list.digest) await this.delete(last);
    const { count } = await this.#database
      .selectFrom('crl_parts')
      .select(({ fn }) => fn.countAll<number | string | bigint>().as('count'))
      .where('account_id', '=', list.accountId)
      .where('digest', '=', list.digest)
      .executeTakeFirstOrThrow();
    if (Number(count) === partsOf(list.serialsBytes)) return;
    throw new SallyportError('CONFLICT', `The CRL of "${list.issuer}" was replaced while it was being stored.`, {
      remedy: 'Send the CRL again.',
    });
  }

  async delete({ accountId, digest }: List): Promise<void> {
    await this.#database
      .deleteFrom('crl_parts')
      .where('account_id', '=', accountId)
      .where('digest', '=', digest)
      .execute();
  }

  async deleteForgotten(now: number): Promise<void> {
    await this.#database
      .deleteFrom('crl_parts')
      .where('written_at', '<', now - FORGOTTEN_AFTER_MS)
      .where(({ not, exists, selectFrom }) =>
        not(
          exists(
            selectFrom('crls')
              .select('crls.digest')
              .whereRef('crls.account_id', '=', 'crl_parts.account_id')
              .whereRef('crls.digest', '=', 'crl_parts.digest'),
          ),
        ),
      )
      .execute();
  }
}

const partsOf = (bytes: number): number => Math.ceil(bytes / PART_BYTES);
