import type { Environment } from './environment-reader.ts';

/** Variables of delegate manifests that name nothing here; they are accepted so that a manifest need not change. */
const ACCEPTED: ReadonlySet<string> = new Set([
  'CLIENT_TOOLS_DOWNLOAD_DISABLED',
  'DELEGATE_CPU_THRESHOLD',
  'DELEGATE_GROUP_NAME',
  'DELEGATE_NAMESPACE',
  'DELEGATE_ORG_IDENTIFIER',
  'DELEGATE_PROJECT_IDENTIFIER',
  'DEPLOY_MODE',
  'DYNAMIC_REQUEST_HANDLING',
  'GRPC_AUTHORITY_MODIFICATION_DISABLED',
  'GRPC_SERVICE_CONNECTOR_PORT',
  'GRPC_SERVICE_ENABLED',
  'INIT_SCRIPT',
  'INSTALL_CLIENT_TOOLS_IN_BACKGROUND',
  'JAVA_OPTS',
  'NEXT_GEN',
  'PRECHECK_CONN',
  'STACK_DRIVER_LOGGING_ENABLED',
  'TI_SERVICE_URL',
]);

const READ: ReadonlySet<string> = new Set([
  'ACCOUNT_ID',
  'ACCOUNT_SECRET',
  'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH',
  'DELEGATE_CLIENT_CERTIFICATE_PATH',
  'DELEGATE_DESCRIPTION',
  'DELEGATE_GRACE_PERIOD_SECONDS',
  'DELEGATE_HEALTH_HOST',
  'DELEGATE_HEALTH_PORT',
  'DELEGATE_LOG_LEVEL',
  'DELEGATE_LOG_SPOOL_DIRECTORY',
  'DELEGATE_LOG_SPOOL_LIMIT_BYTES',
  'DELEGATE_NAME',
  'DELEGATE_RESOURCE_THRESHOLD',
  'DELEGATE_TAGS',
  'DELEGATE_TASK_CONCURRENCY',
  'DELEGATE_TASK_OUTPUT_LIMIT_BYTES',
  'DELEGATE_TOKEN',
  'DELEGATE_TYPE',
  'DELEGATE_UNHEALTHY_AFTER_SECONDS',
  'LOG_STREAMING_SERVICE_URL',
  'MANAGER_HOST_AND_PORT',
  'POLL_FOR_TASKS',
  'PROXY_HOST',
  'PROXY_MANAGER',
  'PROXY_PASSWORD',
  'PROXY_PORT',
  'PROXY_SCHEME',
  'PROXY_USER',
  'SALLYPORT_EXTRA_CA_FILE',
  'TRUST_ALL_CERTIFICATES',
]);

/** Kubernetes gives every pod variables of the services beside it: DELEGATE_SERVICE_HOST, DELEGATE_PORT_3460_TCP, ... */
const SERVICE_LINK = /_(SERVICE_HOST|SERVICE_PORT\w*|PORT(_\d+_(TCP|UDP)\w*)?)$/;

/**
 * Names that look meant for the delegate but that nothing reads. A misspelt DELEGATE_CLIENT_CERTIFICATE_PATH would
 * otherwise show only as a delegate without mTLS.
 */
export function unknownVariables(environment: Environment): string[] {
  return Object.keys(environment)
    .filter((name) => /^(DELEGATE|MANAGER|PROXY|ACCOUNT)_/.test(name))
    .filter((name) => !READ.has(name) && !ACCEPTED.has(name) && !SERVICE_LINK.test(name))
    .sort();
}
