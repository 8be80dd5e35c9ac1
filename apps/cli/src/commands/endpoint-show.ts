import type { AgentMtlsEndpointDetails, CutOff } from '@sallyport/protocol';
import type { Answer } from '../api.ts';
import { describeCertificates } from '../ca-certificates.ts';
import { formatTime } from '../output/format.ts';
import { fields } from '../output/table.ts';
import type { Session } from '../session.ts';

type MetaData = Answer<unknown>['metaData'];

const MOST_CUT_OFF_SHOWN = 20;

/** An endpoint, and on standard error what is to be known about it: weak certificates, who was cut off, when it reverts. */
export function showEndpoint(session: Session, { resource, metaData }: Answer<AgentMtlsEndpointDetails>): void {
  session.output.result(resource, () =>
    fields([
      ['URL', typeof metaData['url'] === 'string' ? metaData['url'] : `https://${resource.fqdn}`],
      ['Host name', resource.fqdn],
      ['Mode', resource.mode],
      ['Account', resource.accountId],
      ['UUID', resource.uuid],
      ['CA certificates', describeCertificates(resource.caCertificates)],
    ]),
  );
  warnOfChange(session, metaData);
}

/** The remarks that come with the answer to a change of the endpoint. */
export function warnOfChange({ output }: Session, metaData: MetaData): void {
  for (const { code, message, subject } of warningsOf(metaData)) {
    output.warn(code, subject === undefined || subject === '' ? message : `${subject}: ${message}`);
  }
  const cutOff = cutOffOf(metaData);
  for (const { name, hostName, reason } of cutOff.slice(0, MOST_CUT_OFF_SHOWN)) {
    output.warn('CUT_OFF', `${name} on ${hostName} was cut off: ${reason}`);
  }
  if (cutOff.length > MOST_CUT_OFF_SHOWN) {
    output.warn('CUT_OFF', `and ${cutOff.length - MOST_CUT_OFF_SHOWN} more were cut off.`);
  }
  const { revertsAt } = metaData;
  if (typeof revertsAt === 'number') {
    output.warn(
      'REVERTS',
      `What is on trial is taken back at ${formatTime(revertsAt)}, unless "sallyport endpoint confirm" comes first.`,
    );
  }
}

interface Warning {
  readonly code: string;
  readonly message: string;
  readonly subject?: string;
}

function warningsOf({ warnings }: MetaData): Warning[] {
  if (!Array.isArray(warnings)) return [];
  return warnings.filter(
    (entry: unknown): entry is Warning =>
      typeof entry === 'object' && entry !== null && 'message' in entry && 'code' in entry,
  );
}

function cutOffOf({ cutOff }: MetaData): CutOff[] {
  if (!Array.isArray(cutOff)) return [];
  return cutOff.filter(
    (entry: unknown): entry is CutOff =>
      typeof entry === 'object' && entry !== null && 'name' in entry && 'reason' in entry,
  );
}
