import { SallyportError } from '@sallyport/protocol';
import {
  type CaAuthority,
  type ExpiredListRule,
  type RevocationList,
  RevocationListError,
  type RevocationListProblem,
  readRevocationList,
  splitRevocationLists,
  usableUntil,
  verifyRevocationList,
} from '@sallyport/trust';

/** One list of an upload, read and verified. */
export interface UploadedCrl {
  readonly list: RevocationList;
  readonly authority: CaAuthority;
  /** SHA-256 over its DER, lower-case hex. */
  readonly digest: string;
}

export interface UploadTerms {
  /** The CAs of the endpoint's bundle. */
  readonly authorities: readonly CaAuthority[];
  readonly expiredLists: ExpiredListRule;
  /** Takes a list that is out of date, too. */
  readonly force: boolean;
  readonly now: Date;
}

/** A CA whose clock is a little ahead of ours is no mistake. */
const CLOCK_SKEW_MS = 5 * 60_000;

let turn: Promise<unknown> = Promise.resolve();

/**
 * Reads an upload. On return each list is complete, signed by a CA of the bundle, of another CA than the others, and would
 * be used at `now`. Large lists are read in slices, and uploads one after the other in this process: two at once would
 * each take their slice of the same turn of the event loop.
 * Throws INVALID_CRL.
 */
export function readUpload(upload: Uint8Array, terms: UploadTerms): Promise<readonly UploadedCrl[]> {
  const mine = turn.then(() => read(upload, terms));
  // Whatever becomes of this one, the next may come; its failure is its own caller's.
  turn = mine.then(
    () => undefined,
    () => undefined,
  );
  return mine;
}

async function read(upload: Uint8Array, terms: UploadTerms): Promise<readonly UploadedCrl[]> {
  try {
    const uploaded: UploadedCrl[] = [];
    for (const der of await splitRevocationLists(upload)) {
      const list = await readRevocationList(der);
      const authority = await verifyRevocationList(list, terms.authorities);
      checkDates(list, terms);
      if (uploaded.some((other) => other.authority.publicKey === authority.publicKey)) {
        throw new RevocationListError(
          'SAME_ISSUER_TWICE',
          `The upload holds two CRLs of "${list.issuer}". Send the current one of each CA.`,
        );
      }
      const { signed: _, ...kept } = list;
      uploaded.push({ list: kept, authority, digest: await sha256(der) });
    }
    return uploaded;
  } catch (error) {
    // Its message never quotes the upload, which may hold a private key.
    if (!(error instanceof RevocationListError)) throw error;
    throw invalid(error.problem, error.message);
  }
}

/** Off the event loop: some MB. */
async function sha256(bytes: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Uint8Array.from(bytes))).toString('hex');
}

function checkDates(list: RevocationList, { expiredLists, force, now }: UploadTerms): void {
  const { issuer, thisUpdate, nextUpdate } = list;
  if (thisUpdate.getTime() > now.getTime() + CLOCK_SKEW_MS) {
    throw new RevocationListError(
      'NOT_YET_VALID',
      `The CRL of "${issuer}" is from the future (${thisUpdate.toISOString()}). Check the clocks of the CA and of this server.`,
    );
  }
  if (force || now < usableUntil(list, expiredLists)) return;
  throw new RevocationListError(
    'EXPIRED',
    `The CRL of "${issuer}" has expired (${nextUpdate.toISOString()}): with it every client of that CA would be refused. Have the CA make a new one; force=true takes this one all the same.`,
  );
}

function invalid(problem: RevocationListProblem, message: string): SallyportError {
  return new SallyportError('INVALID_CRL', message, { details: { problem } });
}
