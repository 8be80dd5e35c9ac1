import { type Static, Type } from 'typebox';

const nullable = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

export const DelegateSize = Type.Union([
  Type.Literal('LAPTOP'),
  Type.Literal('SMALL'),
  Type.Literal('MEDIUM'),
  Type.Literal('LARGE'),
  Type.Literal('CCM_SMALL'),
]);
export const ClusterPermission = Type.Union([
  Type.Literal('CLUSTER_ADMIN'),
  Type.Literal('CLUSTER_VIEWER'),
  Type.Literal('NAMESPACE_ADMIN'),
]);

const DelegateName = Type.String({ minLength: 1, maxLength: 63 });
const Tags = Type.Array(Type.String({ maxLength: 128 }), { maxItems: 100 });
const TokenName = Type.String({ maxLength: 128 });

/** What a downloaded Kubernetes manifest or compose file is about. Unknown fields are tolerated, as in every filter. */
export const DelegateDownloadRequest = Type.Object({
  name: DelegateName,
  description: nullable(Type.String({ maxLength: 1024 })),
  size: nullable(DelegateSize),
  tags: nullable(Tags),
  /** Absent: the default token of the scope. */
  tokenName: nullable(TokenName),
  clusterPermissionType: nullable(ClusterPermission),
  customClusterNamespace: nullable(Type.String({ maxLength: 63 })),
});
export type DelegateDownloadRequest = Static<typeof DelegateDownloadRequest>;

/** What downloaded Helm values are about. */
export const DelegateSetupDetails = Type.Object({
  name: DelegateName,
  delegateType: Type.String({ maxLength: 64 }),
  description: nullable(Type.String({ maxLength: 1024 })),
  size: nullable(DelegateSize),
  hostName: nullable(Type.String()),
  delegateConfigurationId: nullable(Type.String()),
  identifier: nullable(Type.String()),
  k8sConfigDetails: nullable(
    Type.Object({
      k8sPermissionType: nullable(ClusterPermission),
      namespace: nullable(Type.String({ maxLength: 63 })),
    }),
  ),
  tags: nullable(Tags),
  tokenName: nullable(TokenName),
  runAsRoot: nullable(Type.Boolean()),
  orgIdentifier: nullable(Type.String()),
  projectIdentifier: nullable(Type.String()),
  /** The tag of the delegate's image. */
  version: nullable(Type.String({ maxLength: 128 })),
});
export type DelegateSetupDetails = Static<typeof DelegateSetupDetails>;
