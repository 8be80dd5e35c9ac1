import { ApiException } from '@kubernetes/client-node';
import { Type } from 'typebox';
import { Check } from 'typebox/schema';
import { EXIT, UpgradeError } from '../config/exit-codes.ts';

/** The API server's own words about a refusal. */
const Status = Type.Object({
  message: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
});

/** The status of an answer of the API server; null when it did not answer. */
export function statusOf(error: unknown): number | null {
  return error instanceof ApiException ? error.code : null;
}

/**
 * What a failed call means, with the API server's own words where there are some. `call` is the verb and the resource, as
 * a Role names them: a missing right is named by them.
 */
export function explainFailure(
  error: unknown,
  call: { verb: string; resource: string; group: string; name: string },
): UpgradeError {
  const what = `${call.verb} ${call.resource}.${call.group} "${call.name}"`;
  if (!(error instanceof ApiException)) return unreached(error, what);
  const message = messageOf(error);
  switch (error.code) {
    case 401:
      return new UpgradeError(
        EXIT.platform,
        `The Kubernetes API does not accept the credentials (${what}): ${message}`,
        'Check the service account of the CronJob, or the kubeconfig.',
        error,
      );
    case 403:
      return new UpgradeError(
        EXIT.platform,
        `The Kubernetes API does not allow it (${what}): ${message}`,
        `Give the upgrader's Role the verb "${call.verb}" on ${call.resource} of the API group "${call.group}".`,
        error,
      );
    case 404:
      return new UpgradeError(
        EXIT.platform,
        `The Kubernetes API has none (${what}): ${message}`,
        'Check workloadName and namespace in config.yaml.',
        error,
      );
    case 409:
      return new UpgradeError(
        EXIT.platform,
        `It kept changing while it was to be changed (${what}): ${message}`,
        'The next run tries again.',
        error,
      );
    default:
      return new UpgradeError(
        EXIT.platform,
        `The Kubernetes API answered ${error.code} (${what}): ${message}`,
        'The next run tries again; look at the API server if it stays.',
        error,
      );
  }
}

function messageOf(error: ApiException<unknown>): string {
  const body: unknown = typeof error.body === 'string' ? parsed(error.body) : error.body;
  return Check(Status, body) && body.message !== undefined ? body.message : 'it gives no reason.';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function unreached(error: unknown, what: string): UpgradeError {
  const timedOut = error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError');
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const why = timedOut ? 'it did not answer in time' : cause instanceof Error ? cause.message : String(cause);
  return new UpgradeError(
    EXIT.platform,
    `The Kubernetes API was not reached (${what}): ${why}`,
    'Check that the pod reaches the API server (network policy), or the server in the kubeconfig.',
    error,
  );
}
