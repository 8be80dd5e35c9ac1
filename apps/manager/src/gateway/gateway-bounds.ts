import { AccountLimits } from './account-limits.ts';
import { type GatewayCounts, gatewayCounts } from './gateway-counts.ts';
import { DEFAULT_LIMITS, type Limits } from './limits.ts';
import { SourceLimits } from './source-limits.ts';

/** What clients may have and do at the gateway, and how often they ran into it. */
export interface GatewayBounds {
  readonly counts: GatewayCounts;
  readonly sources: SourceLimits;
  readonly accounts: AccountLimits;
}

export function gatewayBounds(limits: Limits = DEFAULT_LIMITS): GatewayBounds {
  const counts = gatewayCounts();
  return {
    counts,
    sources: new SourceLimits(limits, counts.limits),
    accounts: new AccountLimits(limits, counts.limits),
  };
}
