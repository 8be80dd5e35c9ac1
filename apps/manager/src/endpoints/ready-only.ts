import { type CutOff, type Readiness, SallyportError } from '@sallyport/protocol';
import type { MtlsEndpoint } from './endpoint-store.ts';

const MOST_NAMED = 5;
const MOST_LISTED = 1_000;

/** Throws CONFLICT, with who it is, when the change cuts off anybody who is connected or known to come plain. */
export function refuseUnlessReady(
  before: MtlsEndpoint,
  after: MtlsEndpoint,
  connected: readonly CutOff[],
  readiness: Readiness,
): void {
  const listed = new Set(connected.map(({ delegateId }) => delegateId));
  const becomesStrict = before.mode !== 'STRICT' && after.mode === 'STRICT';
  const kept = !becomesStrict
    ? []
    : readiness.delegates
        .filter(({ blocksStrict, delegateId }) => blocksStrict && !listed.has(delegateId))
        .map(
          ({ delegateId, name, hostName, transport, refusal }): CutOff => ({
            ...{ delegateId, name, hostName, transport },
            reason: refusal?.reason ?? 'MTLS_REQUIRED',
          }),
        );
  const cutOff = [...connected, ...kept];
  if (cutOff.length === 0) return;
  const names = [...new Set(cutOff.map(({ name }) => name))];
  const more = names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : '';
  throw new SallyportError(
    'CONFLICT',
    `Nothing was changed: this would cut off or keep out ${cutOff.length === 1 ? '1 delegate' : `${cutOff.length} delegates`} (${names.slice(0, MOST_NAMED).join(', ')}${more}).`,
    {
      remedy: 'Look at the readiness of the endpoint: it says for each delegate what to do.',
      details: { count: cutOff.length, cutOff: cutOff.slice(0, MOST_LISTED) },
    },
  );
}
