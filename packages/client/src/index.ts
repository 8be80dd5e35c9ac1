export * from './agent-token.ts';
export { LOG_SERVICE_ERROR, type RawAnswer } from './answers.ts';
export * from './backoff.ts';
export * from './client-certificate-source.ts';
export {
  CertificateFileError,
  type ClientIdentity,
  parseCertificates,
  parseClientIdentity,
} from './client-identity.ts';
export type { StreamedAnswer } from './connection-set.ts';
export { isCertificateRefusal, ManagerError, TransportError, type TransportFailure } from './errors.ts';
export { EventParser, type EventStreamRequest, type ServerSentEvent } from './event-stream.ts';
export { LOG_LINE_OPTIONS, logDestination } from './log-lines.ts';
export { isLoopbackName, lookupWithLoopback } from './loopback-names.ts';
export * from './manager-client.ts';
export * from './manager-request.ts';
export type { ManagerStream, StreamEnd } from './manager-stream.ts';
export { contentForPath, holdsFileContent } from './path-value.ts';
export { type ProxyReading, type ProxySettings, proxyFor, readProxySettings } from './proxy-settings.ts';
export { Secret } from './secret.ts';
export { loadTrustedRoots } from './tls-settings.ts';
export { explainTransportFailure } from './transport-failures.ts';
