import { type Static, Type } from 'typebox';
import { UPGRADE_COMPONENTS, UPGRADE_OUTCOMES, UPGRADE_RINGS } from '../upgrades.ts';

const literals = <T extends readonly string[]>(values: readonly [...T]) =>
  Type.Union(values.map((value) => Type.Literal(value))) as unknown as Type.TUnsafe<T[number]>;
const nullable = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Millis = Type.Integer();

export const UpgradeComponent = literals(UPGRADE_COMPONENTS);
export type UpgradeComponent = Static<typeof UpgradeComponent>;

export const UpgradeRing = literals(UPGRADE_RINGS);
export type UpgradeRing = Static<typeof UpgradeRing>;

export const ImageText = Type.String({ minLength: 1, maxLength: 512 });

/** The answer to an upgrader: the image that it should run. */
export const UpgradeCheck = Type.Object({
  imageTag: Type.String(),
  shouldUpgrade: Type.Boolean(),
  /** There and true when the image is an older one on purpose. */
  allowOlder: Type.Optional(Type.Boolean()),
  /** The version that the delegate itself reports, where its image names none. */
  currentVersion: Type.Optional(Type.String()),
  /** Why another image is published and is not to be taken. */
  reason: Type.Optional(Type.String()),
});
export type UpgradeCheck = Static<typeof UpgradeCheck>;

/** Whether a delegate is there with a version, as an upgrader asks before it removes the container of the old one. */
export const DelegateRegistered = Type.Object({
  registered: Type.Boolean(),
  connected: Type.Boolean(),
});
export type DelegateRegistered = Static<typeof DelegateRegistered>;

export const PublishRequest = Type.Object(
  {
    ring: UpgradeRing,
    component: Type.Optional(UpgradeComponent),
    image: ImageText,
    /** The ring publishes a newer one: go back to this one on purpose. */
    allowOlder: Type.Optional(Type.Boolean()),
    /** Publish to the rest what no delegate of the canary took and came back with. */
    force: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type PublishRequest = Static<typeof PublishRequest>;

export const UpgradeRelease = Type.Object({
  uuid: Type.String(),
  component: UpgradeComponent,
  ring: UpgradeRing,
  image: Type.String(),
  allowOlder: Type.Boolean(),
  status: literals(['ACTIVE', 'HALTED']),
  publishedAt: Millis,
  publishedBy: Type.String(),
  haltedAt: nullable(Millis),
  haltedReason: nullable(Type.String()),
  /** `system` when it stopped by itself. */
  haltedBy: nullable(Type.String()),
  /** Delegates that were told to take it, those of them that did, and what came of it. */
  offered: Type.Integer(),
  waiting: Type.Integer(),
  taken: Type.Integer(),
  healthy: Type.Integer(),
  failed: Type.Integer(),
});
export type UpgradeRelease = Static<typeof UpgradeRelease>;

export const RingStatus = Type.Object({
  ring: UpgradeRing,
  /** How many accounts were put into it by name; of `stable` null: it has everybody else. */
  accounts: nullable(Type.Integer()),
  releases: Type.Array(UpgradeRelease),
});
export type RingStatus = Static<typeof RingStatus>;

export const HaltRequest = Type.Object(
  {
    component: Type.Optional(UpgradeComponent),
    reason: Type.Optional(Type.String({ minLength: 1, maxLength: 500 })),
  },
  { additionalProperties: false },
);

export const VersionOverride = Type.Object({
  version: Type.String(),
  tags: Type.Array(Type.String()),
  orgIdentifier: Type.Null(),
  projectIdentifier: Type.Null(),
  parentUniqueId: Type.Null(),
  /** Epoch milliseconds; null when it ends with the next release. */
  validUntil: nullable(Millis),
  validTillNextRelease: Type.Boolean(),
  /** True: also for delegates that run a newer version. */
  allowOlder: Type.Boolean(),
  createdBy: Type.String(),
});
export type VersionOverride = Static<typeof VersionOverride>;

export const UpgradeAttempt = Type.Object({
  /** The delegate's name, or empty for an upgrader that does not say it. */
  delegate: Type.String(),
  from: Type.String(),
  to: Type.String(),
  offeredAt: Millis,
  takenAt: nullable(Millis),
  outcome: literals(UPGRADE_OUTCOMES),
});
export type UpgradeAttempt = Static<typeof UpgradeAttempt>;

/** How an account's delegates are kept current. */
export const AccountUpgrades = Type.Object({
  ring: UpgradeRing,
  delegateImage: nullable(Type.String()),
  upgraderImage: nullable(Type.String()),
  /** Why its ring gives out nothing new; null while it does. */
  halted: nullable(Type.String()),
  override: nullable(VersionOverride),
  attempts: Type.Array(UpgradeAttempt),
});
export type AccountUpgrades = Static<typeof AccountUpgrades>;
