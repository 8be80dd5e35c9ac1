import type { Case } from '../gauntlet.ts';
import { account } from './account.ts';
import { failOpen } from './fail-open.ts';
import { headers } from './headers.ts';
import { hello } from './hello.ts';
import { identity } from './identity.ts';
import { keys } from './keys.ts';
import { live } from './live.ts';
import { names } from './names.ts';
import { paths } from './paths.ts';
import { purposes } from './purposes.ts';
import { requests } from './requests.ts';
import { resumption } from './resumption.ts';
import { revocation } from './revocation.ts';
import { revokedLive } from './revoked-live.ts';

/** Every case, in the order of the report. */
export const CASES: readonly Case[] = [
  ...resumption,
  ...names,
  ...hello,
  ...requests,
  ...headers,
  ...failOpen,
  ...paths,
  ...purposes,
  ...keys,
  ...identity,
  ...account,
  ...revocation,
  ...live,
  ...revokedLive,
];
