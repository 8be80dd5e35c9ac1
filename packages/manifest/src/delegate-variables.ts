import type { Endpoint } from './endpoint.ts';
import type { FindingCode } from './finding.ts';

export const mountDirectory = '/etc/mtls';
export const certificateFile = 'client.crt';
export const keyFile = 'client.key';
export const certificatePath = `${mountDirectory}/${certificateFile}`;
export const keyPath = `${mountDirectory}/${keyFile}`;

/** An environment variable that a delegate with mTLS needs. */
export interface Wish {
  readonly name: string;
  readonly value: string;
  readonly code: FindingCode;
  readonly why: string;
  /** Whether to add the variable where it is missing. */
  readonly required: boolean;
}

export interface WishTarget {
  readonly endpoint: Endpoint | undefined;
  readonly continuousIntegration: boolean;
}

/** What the environment of a delegate must say, in the order in which missing variables are added. */
export function delegateWishes({ endpoint, continuousIntegration }: WishTarget): Wish[] {
  const connections: Wish[] = endpoint
    ? [
        {
          name: 'MANAGER_HOST_AND_PORT',
          value: endpoint.url,
          code: 'MANAGER_OLD',
          why: 'The delegate has to connect through the mTLS endpoint.',
          required: true,
        },
        {
          name: 'LOG_STREAMING_SERVICE_URL',
          value: endpoint.logServiceUrl,
          code: 'LOG_SERVICE_BYPASSES_MTLS',
          why: 'Task logs go to this URL; at another host they bypass mTLS.',
          required: false, // unset, the delegate derives it from the manager's URL
        },
        {
          name: 'TI_SERVICE_URL',
          value: endpoint.tiServiceUrl,
          code: 'TI_SERVICE_BYPASSES_MTLS',
          why: 'Test intelligence goes to this URL; at another host it bypasses mTLS.',
          required: continuousIntegration,
        },
      ]
    : [];
  return [
    ...connections,
    certificateWish(
      'DELEGATE_CLIENT_CERTIFICATE_PATH',
      certificatePath,
      'The delegate reads its client certificate from this path.',
    ),
    certificateWish(
      'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH',
      keyPath,
      'The delegate reads its private key from this path.',
    ),
    {
      name: 'GRPC_AUTHORITY_MODIFICATION_DISABLED',
      value: 'true',
      code: 'GRPC_AUTHORITY_MISSING',
      why: 'Without it gRPC calls carry another host name than the endpoint’s.',
      required: true,
    },
  ];
}

/** The first generation of upgraders, and those of docker, read their manager from the environment. */
export function upgraderWish(endpoint: Endpoint): Wish {
  return {
    name: 'MANAGER_HOST_AND_PORT',
    value: endpoint.url,
    code: 'UPGRADER_OLD_HOST',
    why: 'The upgrader has to ask its manager through the mTLS endpoint.',
    required: false,
  };
}

/** What is wrong with a variable, as it stands (undefined: not set), and why that matters. */
export function wishMessage({ name, why }: Wish, value: string | undefined): string {
  return value === undefined ? `${name} is not set. ${why}` : `${name} is "${value}". ${why}`;
}

/** The code for a variable with a wrong value: a certificate path that leads elsewhere is a mistake, not a step left out. */
export function wrongValueCode({ code }: Wish): FindingCode {
  return code === 'CERTIFICATE_PATH_MISSING' ? 'CERTIFICATE_PATH_WRONG' : code;
}

const ownVariables = ['DELEGATE_NAME', 'DELEGATE_TOKEN', 'DELEGATE_TYPE'];
const sharedVariables = ['ACCOUNT_ID', 'MANAGER_HOST_AND_PORT', 'NEXT_GEN'];

/** Whether something with these variables is a delegate: two of a delegate's, one of them no one else's. */
export function areDelegateVariables(names: ReadonlySet<string>): boolean {
  const own = ownVariables.filter((name) => names.has(name)).length;
  return own > 0 && own + sharedVariables.filter((name) => names.has(name)).length >= 2;
}

function certificateWish(name: string, value: string, why: string): Wish {
  return { name, value, code: 'CERTIFICATE_PATH_MISSING', why, required: true };
}
