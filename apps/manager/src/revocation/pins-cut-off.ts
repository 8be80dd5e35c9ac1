import type { AllowedIdentity, CutOff, PresentedCertificate } from '@sallyport/protocol';
import { pinKey } from '@sallyport/trust';
import type { FleetMember } from '../delegates/fleet.ts';
import type { LiveConnection } from '../gateway/live-connections.ts';

export interface PinsChange {
  readonly before: readonly AllowedIdentity[];
  readonly after: readonly AllowedIdentity[];
}

/**
 * The connected members that the change cuts off. By what their certificates hold where this replica has one of their
 * connections; of others by what is known of the certificate, and those are named only when that is enough to tell.
 */
export function cutOffByPins(
  fleet: readonly FleetMember[],
  live: readonly LiveConnection[],
  { before, after }: PinsChange,
): CutOff[] {
  const keysOf = new Map(
    live.flatMap(({ identity, subject }) =>
      identity.listener === 'mtls' && subject !== null
        ? [[identity.certificate.fingerprint, subject.identityKeys] as const]
        : [],
    ),
  );
  const admits = (pins: readonly AllowedIdentity[], certificate: PresentedCertificate): boolean | null => {
    if (pins.length === 0) return true;
    const keys = keysOf.get(certificate.fingerprint);
    const wanted = new Set(pins.map(pinKey));
    if ((keys ?? knownKeys(certificate)).some((key) => wanted.has(key))) return true;
    return keys !== undefined || pins.every(({ type }) => KNOWN.has(type)) ? false : null;
  };
  return fleet.flatMap(({ delegateId, name, hostName, connected, transport, mtls }) => {
    if (!connected || transport !== 'MTLS' || mtls === null) return [];
    // One that polls counts as connected for a while after an earlier change has cut it.
    if (admits(before, mtls.certificate) === false || admits(after, mtls.certificate) !== false) return [];
    return [{ delegateId, name, hostName, transport, reason: 'IDENTITY_NOT_ALLOWED' }];
  });
}

/** What can be told without the certificate itself. Its names are kept without their types, so each may be either. */
const KNOWN: ReadonlySet<AllowedIdentity['type']> = new Set(['DNS', 'URI', 'SUBJECT', 'CERTIFICATE_SHA256']);

function knownKeys({ subject, fingerprint, names = [] }: PresentedCertificate): string[] {
  return [
    pinKey({ type: 'CERTIFICATE_SHA256', value: fingerprint }),
    ...(subject === '' ? [] : [pinKey({ type: 'SUBJECT', value: subject })]),
    ...names.flatMap((value) => [pinKey({ type: 'DNS', value }), pinKey({ type: 'URI', value })]),
  ];
}
