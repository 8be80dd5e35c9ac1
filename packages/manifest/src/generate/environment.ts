import { certificatePath, keyPath } from '../delegate-variables.ts';
import type { Plan } from './generate-options.ts';

/** The delegate's environment without its token, in the order of the sample manifest. */
export function environment(plan: Plan, type: 'KUBERNETES' | 'DOCKER'): Record<string, string> {
  const { connection } = plan;
  return {
    ...(type === 'KUBERNETES' && { JAVA_OPTS: '-Xms64M' }),
    ACCOUNT_ID: plan.accountId,
    MANAGER_HOST_AND_PORT: connection.url,
    ...(type === 'KUBERNETES' && { DEPLOY_MODE: 'KUBERNETES' }),
    DELEGATE_NAME: plan.delegateName,
    DELEGATE_TYPE: type,
    INIT_SCRIPT: plan.initScript ?? '',
    DELEGATE_DESCRIPTION: plan.description ?? '',
    DELEGATE_TAGS: (plan.tags ?? []).join(','),
    NEXT_GEN: 'true',
    CLIENT_TOOLS_DOWNLOAD_DISABLED: 'true',
    LOG_STREAMING_SERVICE_URL: connection.logServiceUrl,
    DYNAMIC_REQUEST_HANDLING: 'false',
    ...proxyVariables(plan),
    ...(plan.mtls && {
      DELEGATE_CLIENT_CERTIFICATE_PATH: certificatePath,
      DELEGATE_CLIENT_CERTIFICATE_KEY_PATH: keyPath,
      GRPC_AUTHORITY_MODIFICATION_DISABLED: 'true',
    }),
  };
}

export function proxyVariables({ proxy }: Plan): Record<string, string> {
  if (proxy === undefined) return {};
  return {
    PROXY_SCHEME: proxy.scheme,
    PROXY_HOST: proxy.host,
    PROXY_PORT: String(proxy.port),
    PROXY_MANAGER: 'true',
    NO_PROXY: proxy.noProxy ?? '',
  };
}

/** What goes into a Secret where there are Secrets. */
export function proxyCredentials({ proxy }: Plan): Record<string, string> {
  return {
    ...(proxy?.user !== undefined && { PROXY_USER: proxy.user }),
    ...(proxy?.password !== undefined && { PROXY_PASSWORD: proxy.password }),
  };
}
