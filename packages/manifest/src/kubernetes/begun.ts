import { endpointFault } from '../endpoint.ts';
import { certificateMounts, strayVolume } from './certificate-volume.ts';
import type { KubernetesScene } from './scene.ts';
import { resolveVariable, variableItems } from './variables.ts';

/** Whether somebody has begun to move this delegate to mTLS: any trace of a certificate counts. */
export function mtlsBegun({ delegate, upgrader, secret }: KubernetesScene): boolean {
  const paths = ['DELEGATE_CLIENT_CERTIFICATE_PATH', 'DELEGATE_CLIENT_CERTIFICATE_KEY_PATH'];
  return (
    paths.some((name) => variableItems(delegate.container, name).length > 0) ||
    [delegate, ...upgrader.jobs].some(
      (pod) => certificateMounts(pod.container).length > 0 || strayVolume(pod, undefined, false),
    ) ||
    upgrader.configs.some(
      ({ root }) => root?.get('clientCertificateFilePath') ?? root?.get('clientCertificateKeyFilePath'),
    ) ||
    secret.object !== undefined ||
    secret.mixed.length > 0
  );
}

/** Whether what the delegate names as its manager could be no endpoint's URL. */
export function namesNoEndpoint({ delegate, objects }: KubernetesScene): boolean {
  const source = resolveVariable(delegate, 'MANAGER_HOST_AND_PORT', objects);
  const value = source.kind === 'literal' || source.kind === 'key' ? source.value : undefined;
  return value !== undefined && endpointFault(value) !== undefined;
}

/** Whether the delegate names this endpoint already, be it where the variable's name should stand. */
export function atEndpoint(scene: KubernetesScene): boolean {
  const url = scene.target.endpoint?.url;
  const source = resolveVariable(scene.delegate, 'MANAGER_HOST_AND_PORT', scene.objects);
  const renamed = scene.delegate.container
    .get('env')
    ?.items()
    .some((item) => item.get('name')?.text === url);
  return ((source.kind === 'literal' || source.kind === 'key') && source.value === url) || renamed === true;
}
