import { type Static, Type } from 'typebox';

export const EndpointMode = Type.Union([Type.Literal('LOOSE'), Type.Literal('STRICT')]);
export type EndpointMode = Static<typeof EndpointMode>;

/**
 * Body of create, update and patch. The schema leaves everything optional and nullable because the service owns the
 * messages: which field is required, and in which order they are checked, differs per operation.
 */
export const AgentMtlsEndpointRequest = Type.Object({
  domainPrefix: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  caCertificates: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  mode: Type.Optional(Type.Union([EndpointMode, Type.Null()])),
});
export type AgentMtlsEndpointRequest = Static<typeof AgentMtlsEndpointRequest>;

export const AgentMtlsEndpointDetails = Type.Object({
  uuid: Type.String(),
  accountId: Type.String(),
  fqdn: Type.String(),
  /** PEM text exactly as it was sent. */
  caCertificates: Type.String(),
  mode: EndpointMode,
});
export type AgentMtlsEndpointDetails = Static<typeof AgentMtlsEndpointDetails>;
