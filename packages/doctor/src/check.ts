export type Status = 'pass' | 'warn' | 'fail' | 'skipped';

/** Where the fault of a failed check lies; the command line's exit code follows it. */
export type CheckClass = 'set-up' | 'network' | 'admission' | 'service';

/** Every check, in the order in which a connection is made: the first that fails is the cause, the rest follows from it. */
export const CHECKS = {
  manifest: { title: 'Manifest', class: 'set-up' },
  environment: { title: 'Environment', class: 'set-up' },
  'token-form': { title: 'Form of the token', class: 'set-up' },
  'ca-file': { title: 'Extra CA file', class: 'set-up' },
  'file-access': { title: 'Certificate files', class: 'set-up' },
  'file-mode': { title: 'Rights of the key file', class: 'set-up' },
  'file-rotation': { title: 'Rotation of the files', class: 'set-up' },
  pair: { title: 'Certificate and key', class: 'set-up' },
  chain: { title: 'Certificate chain', class: 'set-up' },
  purpose: { title: 'Purpose of the certificate', class: 'set-up' },
  clock: { title: 'Clock', class: 'set-up' },
  validity: { title: 'Validity of the certificate', class: 'set-up' },
  'name-resolution': { title: 'Name resolution', class: 'network' },
  tcp: { title: 'TCP connection', class: 'network' },
  proxy: { title: 'Proxy', class: 'network' },
  sni: { title: 'Server name', class: 'admission' },
  tls: { title: 'TLS version', class: 'network' },
  'tls-inspection': { title: 'TLS end to end', class: 'network' },
  'server-certificate': { title: "Manager's certificate", class: 'network' },
  manager: { title: 'Manager answers', class: 'network' },
  'client-certificate': { title: 'Client certificate', class: 'admission' },
  account: { title: 'Account and endpoint', class: 'admission' },
  mode: { title: 'Mode', class: 'admission' },
  token: { title: 'Token', class: 'admission' },
  'web-socket': { title: 'WebSocket', class: 'service' },
  'log-service': { title: 'Log service', class: 'service' },
} as const satisfies Record<string, { title: string; class: CheckClass }>;

export type CheckId = keyof typeof CHECKS;

export interface Check {
  readonly id: CheckId;
  readonly title: string;
  readonly status: Status;
  /** What was seen, in a sentence. Never a token, a password or a key. */
  readonly evidence: string;
  /** The one thing to do; null when there is nothing to do. */
  readonly remedy: string | null;
  /** The failed check that keeps this one from being made; null also for one that does not apply. */
  readonly because: CheckId | null;
  /** A text to hand to somebody else as it stands, such as a request to the people who run a proxy. */
  readonly readyToSend: string | null;
}

/** What one check found, before it is put under its name. */
export type Outcome = Pick<Check, 'status' | 'evidence' | 'remedy' | 'because' | 'readyToSend'>;

const NOTHING = { remedy: null, because: null, readyToSend: null } as const;

export const pass = (evidence: string): Outcome => ({ ...NOTHING, status: 'pass', evidence });

export const warn = (evidence: string, remedy: string): Outcome => ({ ...NOTHING, status: 'warn', evidence, remedy });

export const fail = (evidence: string, remedy: string, readyToSend: string | null = null): Outcome => ({
  ...NOTHING,
  status: 'fail',
  evidence,
  remedy,
  readyToSend,
});

/** The check says nothing about this set-up. */
export const notApplicable = (evidence: string): Outcome => ({ ...NOTHING, status: 'skipped', evidence });

export const skippedBecause = (because: CheckId): Outcome => ({
  ...NOTHING,
  status: 'skipped',
  evidence: `Not looked at: "${CHECKS[because].title}" comes first.`,
  because,
});

export interface Rule<Seen> {
  readonly id: CheckId;
  /** The checks without which this one would only repeat what they found. */
  readonly needs: readonly CheckId[] | ((seen: Seen) => readonly CheckId[]);
  readonly judge: (seen: Seen) => Outcome;
}

/**
 * Judges what was seen, rule by rule. A rule whose needs failed is not asked: it is skipped, naming the check at the root
 * of it. Pure.
 */
export function judgeAll<Seen>(rules: readonly Rule<Seen>[], seen: Seen): Check[] {
  const made = new Map<CheckId, Check>();
  for (const { id, needs, judge } of rules) {
    const before = typeof needs === 'function' ? needs(seen) : needs;
    const root = before.map((need) => rootOf(made.get(need))).find((cause) => cause !== null) ?? null;
    const outcome = root === null ? judge(seen) : skippedBecause(root);
    made.set(id, { id, title: CHECKS[id].title, ...outcome });
  }
  return [...made.values()];
}

function rootOf(check: Check | undefined): CheckId | null {
  if (check === undefined) return null;
  return check.status === 'fail' ? check.id : check.because;
}
