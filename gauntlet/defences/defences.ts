/** `instead` takes the place of `text`, which stands once in the file. */
export interface Edit {
  /** From the folder of the repository. */
  readonly file: string;
  readonly text: string;
  readonly instead: string;
}

/** A defence of Sallyport, as the edits that take it out. Where two defend against the same, they go together. */
export interface Defence {
  readonly name: string;
  readonly what: string;
  readonly edits: readonly Edit[];
  /** Beginnings of the ids of the cases that are run without it. One of them at least has to fail. */
  readonly cases: readonly string[];
}

const GATEWAY = 'apps/manager/src/gateway';
const DELEGATES = 'apps/manager/src/delegates';
const TRUST = 'packages/trust/src';
const JUDGE = `${TRUST}/revocation/judge-policy.ts`;

/** Each with the cases that it makes Sallyport pass. */
export const DEFENCES: readonly Defence[] = [
  {
    name: 'no-resumption',
    what: 'no session can be resumed, and a resumed one would have verified nothing',
    edits: [
      { file: `${GATEWAY}/tls-options.ts`, text: 'constants.SSL_OP_NO_TICKET | ', instead: '' },
      {
        file: `${GATEWAY}/admission.ts`,
        text: 'socket.authorized && !socket.isSessionReused()',
        instead: 'socket.authorized',
      },
      {
        file: `${GATEWAY}/mtls-listener.ts`,
        text: 'this.#verifiedUnder.get(socket) ?? null;',
        instead: "this.#verifiedUnder.get(socket) ?? (await directory.byFqdn(serverName ?? ''));",
      },
    ],
    cases: ['resumption/'],
  },
  {
    name: 'no-renegotiation',
    what: 'renegotiation is off',
    edits: [
      {
        file: `${GATEWAY}/tls-options.ts`,
        text: 'constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION',
        instead: 'constants.SSL_OP_NO_TICKET',
      },
    ],
    cases: ['renegotiation/'],
  },
  {
    name: 'host-equals-sni',
    what: 'every Host of every request is the name that the connection was made for',
    edits: [
      {
        file: `${GATEWAY}/host-check.ts`,
        text: 'hosts.length > 0 && hosts.every((host) => isSpelling(host, serverName))',
        instead: 'true',
      },
    ],
    cases: ['names/'],
  },
  {
    name: 'openssl-has-verified',
    what: 'whom OpenSSL does not verify is refused',
    edits: [
      {
        file: `${TRUST}/connection-verdict.ts`,
        text: 'verification.authorized && verification.errorCode === null && authorities.length > 0',
        instead: 'authorities.length > 0',
      },
    ],
    cases: ['paths/', 'purpose/'],
  },
  {
    name: 'no-ca-as-client',
    what: 'a CA is no client',
    edits: [
      {
        file: `${TRUST}/connection-verdict.ts`,
        text: 'inBundle || (leaf.isCa && leaf.version !== 1)',
        instead: 'inBundle && leaf.version === 0',
      },
    ],
    cases: ['purpose/', 'paths/'],
  },
  {
    name: 'empty-bundle-admits-nobody',
    what: "an endpoint whose bundle cannot be read gets nobody's CA, never the roots of the system",
    edits: [
      { file: `${GATEWAY}/mtls-listener.ts`, text: '...clientTrust([this.#options.nobodysCa])', instead: '...{}' },
      {
        file: `${TRUST}/connection-verdict.ts`,
        text: 'verification.errorCode === null && authorities.length > 0',
        instead: 'verification.errorCode === null',
      },
      {
        file: `${GATEWAY}/rejudge.ts`,
        text: 'endpoint?.authorities.some((authority) => authority.fingerprint256 === identity.anchor) ?? false',
        instead: 'endpoint !== null',
      },
    ],
    cases: ['fail-open/', 'names/'],
  },
  {
    name: 'authority-is-the-accounts',
    what: "a connection of one account's endpoint is nobody else's",
    edits: [
      {
        file: `${TRUST}/decision-table.ts`,
        text: "STRICT: { ABSENT: 'MTLS_REQUIRED', EQUAL: 'ADMIT', OTHER: 'AUTHORITY_MISMATCH' }",
        instead: "STRICT: { ABSENT: 'MTLS_REQUIRED', EQUAL: 'ADMIT', OTHER: 'ADMIT' }",
      },
    ],
    cases: ['tokens/', 'streams/'],
  },
  {
    name: 'strict-refuses-plain',
    what: 'a STRICT account accepts no plain connection',
    edits: [
      {
        file: `${TRUST}/decision-table.ts`,
        text: "STRICT: { ABSENT: 'MTLS_REQUIRED', EQUAL: 'ADMIT', OTHER: 'AUTHORITY_MISMATCH' }",
        instead: "STRICT: { ABSENT: 'ADMIT', EQUAL: 'ADMIT', OTHER: 'AUTHORITY_MISMATCH' }",
      },
    ],
    cases: ['streams/', 'headers/', 'live/'],
  },
  {
    name: 'revoked-token',
    what: 'a revoked token counts no more',
    edits: [
      { file: `${DELEGATES}/agent-tokens.ts`, text: "if (key.status === 'REVOKED') throw revoked();", instead: '' },
    ],
    cases: ['tokens/'],
  },
  {
    name: 'live-connections-are-judged-again',
    what: 'open connections are judged anew by each change of trust',
    edits: [
      {
        file: `${GATEWAY}/gateway.ts`,
        text: 'reasonOf = (connection) => rejudgeWhole(connection, accountId, endpoint, now);',
        instead: 'reasonOf = () => (endpoint === null && now === null ? rejudgeWhole : null) as null;',
      },
    ],
    cases: ['live/'],
  },
  {
    name: 'revoked-by-a-list',
    what: 'a certificate on a revocation list is refused',
    edits: [
      {
        file: JUDGE,
        text: 'if (list.serials.has(certificate.serialNumber)) return explainRevoked(certificate, leaf, list);',
        instead: '',
      },
    ],
    cases: ['revocation/', 'live/'],
  },
  {
    name: 'expired-list',
    what: 'an expired revocation list refuses',
    edits: [{ file: JUDGE, text: 'if (!(now < usableUntil(list, expiredLists))) expired ??= list;', instead: '' }],
    cases: ['revocation/'],
  },
  {
    name: 'denied-certificates',
    what: 'a denied certificate is refused',
    edits: [
      { file: JUDGE, text: 'if (denied !== undefined) {', instead: 'if (denied !== undefined && denied === null) {' },
    ],
    cases: ['revocation/', 'live/', 'resumption/'],
  },
  {
    name: 'allowed-identities',
    what: 'whoever has none of the allowed identities is refused',
    edits: [
      {
        file: JUDGE,
        text: 'if (policy.allowed.size === 0 || subject.identityKeys.some((key) => policy.allowed.has(key))) return null;',
        instead: 'if (policy.allowed.size >= 0 || subject.identityKeys.length === 0 || leaf === null) return null;',
      },
    ],
    cases: ['revocation/', 'identity/', 'live/', 'resumption/'],
  },
];
