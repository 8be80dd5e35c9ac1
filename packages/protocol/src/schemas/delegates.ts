import { type Static, Type } from 'typebox';
import { PresentedCertificate } from './refusals.ts';

export const Transport = Type.Union([Type.Literal('MTLS'), Type.Literal('PLAIN')]);
export type Transport = Static<typeof Transport>;

const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);

/** Filter of `listDelegates`; unknown fields are tolerated because existing clients send more than we use. */
export const DelegateFilter = Type.Object({
  filterType: Type.Optional(Type.Literal('Delegate')),
  status: Type.Optional(nullable(Type.String())),
  description: Type.Optional(nullable(Type.String())),
  hostName: Type.Optional(nullable(Type.String())),
  delegateName: Type.Optional(nullable(Type.String())),
  delegateType: Type.Optional(nullable(Type.String())),
  delegateGroupIdentifier: Type.Optional(nullable(Type.String())),
  delegateTags: Type.Optional(nullable(Type.Array(Type.String()))),
  delegateInstanceFilter: Type.Optional(nullable(Type.String())),
  autoUpgrade: Type.Optional(nullable(Type.String())),
  versionStatus: Type.Optional(nullable(Type.String())),
});
export type DelegateFilter = Static<typeof DelegateFilter>;

export const DelegateReplica = Type.Object({
  uuid: Type.String(),
  lastHeartbeat: Type.Integer(),
  connected: Type.Boolean(),
  hostName: Type.String(),
  version: Type.String(),
  expiringAt: Type.Integer(),
  transport: nullable(Transport),
  certificate: nullable(PresentedCertificate),
});
export type DelegateReplica = Static<typeof DelegateReplica>;

/** One delegate (all instances of one name) as `listDelegates` answers it; transport and certificate are ours. */
export const DelegateListing = Type.Object({
  type: Type.String(),
  name: Type.String(),
  description: Type.String(),
  tags: Type.Array(Type.String()),
  lastHeartBeat: Type.Integer(),
  connected: Type.Boolean(),
  delegateReplicas: Type.Array(DelegateReplica),
  autoUpgrade: Type.String(),
  legacy: Type.Boolean(),
});
export type DelegateListing = Static<typeof DelegateListing>;
