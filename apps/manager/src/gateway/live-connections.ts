import type { TLSSocket } from 'node:tls';
import type { ErrorCode, PresentedCertificate } from '@sallyport/protocol';
import type { PolicySubject } from '@sallyport/trust';
import { Tally } from '../metrics/tally.ts';

/** Who is at the other end, as the handshake proved it. Fixed for the life of the connection. */
export type ConnectionIdentity =
  | { readonly listener: 'public'; readonly serverName: string | null; readonly authority: null }
  | {
      readonly listener: 'mtls';
      readonly serverName: string;
      /** The fqdn of the endpoint that admitted it. */
      readonly authority: string;
      readonly accountId: string;
      readonly certificate: PresentedCertificate;
      /** Fingerprint of the bundle's CA that its chain ends at; null when that could not be told. */
      readonly anchor: string | null;
    };

/** Why a live connection is cut: a ledger code and a sentence. */
export interface CutReason {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface LiveConnection {
  readonly socket: TLSSocket;
  readonly identity: ConnectionIdentity;
  /** What an account's policy looks at; null for a connection without mTLS. */
  readonly subject: PolicySubject | null;
  /** By account, the names of the delegates that it has spoken for. */
  readonly delegates: Map<string, Set<string>>;
  /** Set by a push stream, to tell its client why before the socket goes. */
  onCut: ((reason: CutReason) => void) | null;
}

/** Time for a push stream's closing frame to leave before its socket is destroyed, in milliseconds. */
const FAREWELL_MS = 50;
/**
 * A certificate's end that is further away is looked at again after this, in milliseconds. One length for all of them:
 * Node keeps the timers of each length in a list of its own, and a certificate's end makes a length that nothing shares.
 */
const LOOK_AGAIN_MS = 3_600_000;

interface Entry extends LiveConnection {
  /** Accounts that it is tied to, each with how often. */
  readonly accounts: Map<string, number>;
  expiry: NodeJS.Timeout | null;
  cut: boolean;
}

/** Every admitted connection, found by socket and by account. One account's change touches nobody else's. */
export class LiveConnections {
  readonly #bySocket = new Map<TLSSocket, Entry>();
  readonly #byAccount = new Map<string, Set<Entry>>();
  /** Connections that were cut, by the code of the reason. */
  readonly cuts = new Tally<ErrorCode>();

  get size(): number {
    return this.#bySocket.size;
  }

  countOf(listener: ConnectionIdentity['listener']): number {
    let count = 0;
    for (const { identity } of this.#bySocket.values()) if (identity.listener === listener) count += 1;
    return count;
  }

  add(socket: TLSSocket, identity: ConnectionIdentity, subject: PolicySubject | null = null): LiveConnection {
    const entry: Entry = {
      socket,
      identity,
      subject,
      delegates: new Map(),
      accounts: new Map(),
      onCut: null,
      expiry: null,
      cut: false,
    };
    this.#bySocket.set(socket, entry);
    if (identity.listener === 'mtls') {
      this.bind(entry, identity.accountId);
      this.#closeAtExpiry(entry, identity.certificate.notAfter);
    }
    socket.on('close', () => this.#remove(entry));
    return entry;
  }

  of(socket: object): LiveConnection | undefined {
    return this.#bySocket.get(socket as TLSSocket);
  }

  /**
   * Ties a connection to an account. A plain connection is tied *before* the account's mode is read: a flip to STRICT
   * that comes in between then finds it here and cuts it, one that came earlier is seen by the read.
   *
   * The returned function takes this tie back, for a caller who then turns out to be nobody of the account: without it
   * whoever sends one request for each of a million invented accounts makes us remember them all.
   */
  bind(connection: LiveConnection, accountId: string): () => void {
    const entry = this.#bySocket.get(connection.socket);
    if (entry === undefined) return () => undefined;
    entry.accounts.set(accountId, (entry.accounts.get(accountId) ?? 0) + 1);
    const members = this.#byAccount.get(accountId);
    if (members === undefined) this.#byAccount.set(accountId, new Set([entry]));
    else members.add(entry);
    return () => this.#release(entry, accountId);
  }

  isBound(connection: LiveConnection, accountId: string): boolean {
    return this.#bySocket.get(connection.socket)?.accounts.has(accountId) === true;
  }

  ofAccount(accountId: string): readonly LiveConnection[] {
    return [...(this.#byAccount.get(accountId) ?? [])];
  }

  accountIds(): readonly string[] {
    return [...this.#byAccount.keys()];
  }

  /** Ends a connection now: a push stream is told why first, then the socket is destroyed whatever it was doing. */
  cut(connection: LiveConnection, reason: CutReason): void {
    const entry = this.#bySocket.get(connection.socket);
    if (entry === undefined || entry.cut) return;
    entry.cut = true;
    this.cuts.add(reason.code);
    if (entry.onCut === null) {
      entry.socket.destroy();
      return;
    }
    entry.onCut(reason);
    setTimeout(() => entry.socket.destroy(), FAREWELL_MS);
  }

  cutAll(reason: CutReason): void {
    for (const entry of [...this.#bySocket.values()]) this.cut(entry, reason);
  }

  #closeAtExpiry(entry: Entry, notAfter: number): void {
    const left = notAfter - Date.now();
    entry.expiry = setTimeout(
      () => {
        if (left > LOOK_AGAIN_MS) this.#closeAtExpiry(entry, notAfter);
        else
          this.cut(entry, {
            code: 'CLIENT_CERTIFICATE_EXPIRED',
            message: `the client certificate expired at ${new Date(notAfter).toISOString()}`,
          });
      },
      Math.min(Math.max(left, 0), LOOK_AGAIN_MS),
    );
    entry.expiry.unref();
  }

  #release(entry: Entry, accountId: string): void {
    const ties = entry.accounts.get(accountId) ?? 0;
    if (ties > 1) {
      entry.accounts.set(accountId, ties - 1);
      return;
    }
    entry.accounts.delete(accountId);
    this.#leave(entry, accountId);
  }

  #remove(entry: Entry): void {
    if (entry.expiry !== null) clearTimeout(entry.expiry);
    this.#bySocket.delete(entry.socket);
    for (const accountId of entry.accounts.keys()) this.#leave(entry, accountId);
  }

  #leave(entry: Entry, accountId: string): void {
    const members = this.#byAccount.get(accountId);
    members?.delete(entry);
    if (members?.size === 0) this.#byAccount.delete(accountId);
  }
}
