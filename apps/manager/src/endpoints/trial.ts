import { SallyportError } from '@sallyport/protocol';
import { authoritiesOf } from './authorities.ts';
import type { MtlsEndpoint } from './endpoint-store.ts';
import type { PendingRevert } from './revert-store.ts';

// A change with revertAfter puts fields of an endpoint on trial: those in which it differs from the state that comes back.

type Trusted = Pick<MtlsEndpoint, 'mode' | 'caCertificates'>;
export type TrialField = 'mode' | 'caCertificates';

/** The fields that a revert would change. */
export function onTrial(wayBack: Trusted, endpoint: Trusted): readonly TrialField[] {
  return [
    ...(wayBack.mode === endpoint.mode ? [] : (['mode'] as const)),
    ...(isSameBundle(wayBack.caCertificates, endpoint.caCertificates) ? [] : (['caCertificates'] as const)),
  ];
}

/** What comes back once the endpoint went from `before` to `after` meanwhile: fields on trial stay, the others follow. */
export function wayBack(pending: Trusted, before: Trusted, after: Trusted): Trusted {
  const fields = onTrial(pending, before);
  return {
    mode: fields.includes('mode') ? pending.mode : after.mode,
    caCertificates: fields.includes('caCertificates') ? pending.caCertificates : after.caCertificates,
  };
}

/**
 * Throws CONFLICT when the bundle is on trial and would become one that is neither the tried nor the earlier one: the
 * revert would either bring back a CA that was removed since, or throw out one that was added.
 */
export function refuseThirdBundle(pending: PendingRevert, before: Trusted, after: Trusted): void {
  if (!onTrial(pending, before).includes('caCertificates')) return;
  if (isSameBundle(after.caCertificates, before.caCertificates)) return;
  if (isSameBundle(after.caCertificates, pending.caCertificates)) return;
  const until = new Date(pending.revertAt).toISOString();
  throw new SallyportError(
    'CONFLICT',
    `The CA bundle is on trial until ${until} and would become a third one. Nothing was changed.`,
    {
      remedy:
        'Confirm the change that waits first (POST endpoint/confirm), set the bundle back to what it was, or send the new bundle by PATCH with a revertAfter of its own.',
      details: { revertsAt: pending.revertAt },
    },
  );
}

/** By the CAs, whatever their order: how a text is laid out is no change of whom it trusts. */
function isSameBundle(one: string, other: string): boolean {
  if (one === other) return true;
  const [had, has] = [one, other].map((text) =>
    authoritiesOf(text)
      .map(({ fingerprint256 }) => fingerprint256)
      .sort(),
  );
  return had !== undefined && had.length > 0 && String(had) === String(has);
}
