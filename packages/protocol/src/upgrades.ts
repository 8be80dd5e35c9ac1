/** What is kept current: delegates, and the upgraders themselves. */
export const UPGRADE_COMPONENTS = ['DELEGATE', 'UPGRADER'] as const;

/** An account belongs to one ring; a version is published to the canary first, then to the rest. */
export const UPGRADE_RINGS = ['canary', 'stable'] as const;

/** Paths of the calls that an upgrader makes, with the token of its account. */
export const upgradePaths = {
  delegate: '/api/upgrade-check/delegate',
  upgrader: '/api/upgrade-check/upgrader',
  registered: '/api/upgrade-check/registered',
} as const;

/** What a delegate's last upgrade came to. */
export const UPGRADE_OUTCOMES = ['WAITING', 'HEALTHY', 'UNHEALTHY', 'NOT_BACK', 'NOT_TAKEN'] as const;
export type UpgradeOutcome = (typeof UPGRADE_OUTCOMES)[number];

/** `ON`: an upgrader calls and the delegate runs what it should. `OFF`: none has called for 90 minutes. */
export const AUTO_UPGRADE_STATES = ['DETECTING', 'SYNCHRONIZING', 'ON', 'OFF'] as const;
export type AutoUpgradeState = (typeof AUTO_UPGRADE_STATES)[number];
