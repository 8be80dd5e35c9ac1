import { EXIT, UpgradeError } from '../config/exit-codes.ts';

/** Of the Docker Engine API the second number; the first is 1. */
export type ApiVersion = number;

/** The oldest version that has all of the calls that are made as they are used. */
const OLDEST: ApiVersion = 41;
/** The newest that says which hardware address was asked for; engines serve older versions than their own. */
const NEWEST: ApiVersion = 51;
/** From here on a hardware address belongs to a network, no more to the container. */
export const ADDRESS_OF_NETWORK: ApiVersion = 44;

/**
 * The version to speak with an engine whose newest is `offered`, as its `Api-Version` header says. Engines drop old ones:
 * Docker 29 takes none before 1.44. Throws UpgradeError when none fits.
 */
export function agreedVersion(offered: string | null, socketPath: string): ApiVersion {
  const [, minor] = /^1\.(\d{1,4})$/.exec(offered ?? '') ?? [];
  if (minor !== undefined && Number(minor) >= OLDEST) return Math.min(Number(minor), NEWEST);
  const what = offered === null ? 'does not say which API version it has' : `has API version ${offered}`;
  throw new UpgradeError(
    EXIT.platform,
    `The Docker Engine at ${socketPath} ${what}; this upgrader speaks 1.${OLDEST} to 1.${NEWEST}.`,
    'Check that the socket is that of a Docker Engine, 20.10 or newer.',
  );
}
