import { type Static, Type } from 'typebox';
import { Transport } from './delegates.ts';
import { EndpointMode } from './mtls-endpoints.ts';
import { PresentedCertificate, Refusal } from './refusals.ts';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** How a delegate stands before its account goes STRICT. */
export const ReadinessState = Type.Union([
  /** It is connected with a client certificate, or was when it was last seen. */
  Type.Literal('ON_MTLS'),
  Type.Literal('PLAIN'),
  /** It is plain, and its last time on mTLS ended while its certificate was accepted. */
  Type.Literal('PLAIN_AFTER_MTLS'),
  /** Its last certificate was refused. */
  Type.Literal('INVALID_CERTIFICATE'),
  /** Gone for longer than was asked about. */
  Type.Literal('NOT_SEEN'),
]);
export type ReadinessState = Static<typeof ReadinessState>;

/** A refused certificate and how it is known to be this delegate's. A name proves nothing: anybody can write it. */
export const ReadinessRefusal = Type.Object({
  ...Refusal.properties,
  matchedBy: Type.Union([Type.Literal('FINGERPRINT'), Type.Literal('NAME')]),
});
export type ReadinessRefusal = Static<typeof ReadinessRefusal>;

/** One instance of a delegate. */
export const ReadinessRow = Type.Object({
  state: ReadinessState,
  delegateId: Type.String(),
  name: Type.String(),
  hostName: Type.String(),
  connected: Type.Boolean(),
  /** Its last way in. */
  transport: nullable(Transport),
  lastSeen: Type.Integer(),
  lastOnMtls: nullable(Type.Integer()),
  /** The last certificate that was accepted. */
  certificate: nullable(PresentedCertificate),
  refusal: nullable(ReadinessRefusal),
  /** True for one that STRICT would cut off or keep out. */
  blocksStrict: Type.Boolean(),
  /** The one thing to do. */
  remedy: Type.String(),
});
export type ReadinessRow = Static<typeof ReadinessRow>;

export const Readiness = Type.Object({
  /** True when STRICT would cut off nobody. */
  ready: Type.Boolean(),
  mode: EndpointMode,
  notSeenForDays: Type.Integer(),
  totals: Type.Object({
    onMtls: Type.Integer(),
    plain: Type.Integer(),
    plainAfterMtls: Type.Integer(),
    invalidCertificate: Type.Integer(),
    notSeen: Type.Integer(),
    refusedClients: Type.Integer(),
  }),
  /** Those that block first, then by name. */
  delegates: Type.Array(ReadinessRow),
  /** Refused certificates that are no known delegate's. They block nothing: anybody can be refused. */
  refusedClients: Type.Array(Refusal),
});
export type Readiness = Static<typeof Readiness>;

/** A delegate that a change of trust cuts off. */
export const CutOff = Type.Object({
  delegateId: Type.String(),
  name: Type.String(),
  hostName: Type.String(),
  transport: nullable(Transport),
  /** Why it does not hold any more: MTLS_REQUIRED, AUTHORITY_MISMATCH, UNKNOWN_ISSUER or IDENTITY_NOT_ALLOWED. */
  reason: Type.String(),
});
export type CutOff = Static<typeof CutOff>;
