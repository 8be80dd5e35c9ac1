import type { Finding } from '@sallyport/manifest';
import type { CertificateFacts } from '@sallyport/trust';
import type { ClientPair } from './files/client-pair.ts';
import type { FileLook } from './files/file-source.ts';
import type { Answer } from './network/exchange.ts';
import type { Walk } from './network/route.ts';
import type { Step } from './network/step.ts';
import type { Problem, Setup } from './setup.ts';

/** The server's end of a TLS connection. */
export interface ServerView {
  readonly protocol: string;
  /** By OpenSSL and Node, chain, dates and name, by this machine's clock. */
  readonly trusted: boolean;
  /** Why not: CERT_HAS_EXPIRED, ERR_TLS_CERT_ALTNAME_INVALID, ... */
  readonly error: string | null;
  /** As sent, the server's own first. */
  readonly chain: readonly CertificateFacts[];
  /** Whether it asked for a client certificate. */
  readonly askedForCertificate: boolean;
}

/** What an answer says when it is one of a Sallyport manager. */
export interface ManagerWords {
  /** Null for a success. */
  readonly code: string | null;
  readonly message: string;
  readonly remedy: string;
  /** RefusalReason, where the manager tells one besides its code. */
  readonly reason: string | null;
}

export interface LogService {
  readonly url: string;
  /** Where the way ended, when it did not lead to an answer. */
  readonly walk: Walk | null;
  readonly server: ServerView | null;
  readonly answer: Step<Answer> | null;
}

/** Everything that was seen of one set-up. The checks judge this and nothing else. */
export interface Seen {
  readonly setup: Setup;
  /** This machine's clock, epoch milliseconds. */
  readonly now: number;
  /** What the server's clock is ahead of this machine's; null when nothing was answered. */
  readonly skewMs: number | null;
  readonly filePlace: string;
  readonly manifest: readonly Finding[] | null;
  readonly caFile: FileLook | null;
  readonly caProblem: Problem | null;
  readonly certificate: FileLook | null;
  readonly key: FileLook | null;
  readonly pair: ClientPair | null;
  readonly walk: Walk | null;
  readonly server: ServerView | null;
  /** What the same way answers to a name that no server has. */
  readonly stranger: ServerView | null;
  readonly strangerName: string;
  /** To the agent's call that proves certificate, account, mode and token; else to a question for the time only. */
  readonly answer: Step<Answer> | null;
  readonly asAgent: boolean;
  /** What the manager said to the agent's call. */
  readonly words: ManagerWords | null;
  /** What the manager says about the account, asked only when it refused the token or the way. */
  readonly accountKnown: boolean | null;
  readonly upgrade: Step<Answer> | null;
  readonly log: LogService | null;
}
