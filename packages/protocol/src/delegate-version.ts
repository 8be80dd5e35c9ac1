/** The version that an immutable image's tag names: `yy.mm.xxxxx`, or the same with `.minimal`. */
export interface DelegateVersion {
  readonly year: number;
  readonly month: number;
  readonly build: number;
  readonly minimal: boolean;
}

const VERSION = /^(\d{2})\.(\d{2})\.(\d{1,9})(\.minimal)?$/;

/** Null for a tag that names no version, such as `latest`. */
export function parseDelegateVersion(tag: string): DelegateVersion | null {
  const [, year, month, build, minimal] = VERSION.exec(tag) ?? [];
  if (year === undefined || Number(month) < 1 || Number(month) > 12) return null;
  return { year: Number(year), month: Number(month), build: Number(build), minimal: minimal !== undefined };
}

/** Negative when `a` is older than `b`. The minimal image of a version is as old as the other one. */
export function compareDelegateVersions(a: DelegateVersion, b: DelegateVersion): number {
  return a.year - b.year || a.month - b.month || a.build - b.build;
}

/** Around the version of an image that somebody built or tagged anew: `v25.09.1`, `25.09.1-ubi`, `25.09.1.minimal-2`. */
const AROUND = /^v?(\d{2}\.\d{2}\.\d{1,9}(?:\.minimal)?)(?:[-_+.].*)?$/;

/** The version that a tag names, also with what others write around it. Null when it names none, such as `latest`. */
export function versionInTag(tag: string | null): DelegateVersion | null {
  return parseDelegateVersion(AROUND.exec(tag ?? '')?.[1] ?? '');
}

/**
 * True when going from the tag `from` to the tag `to` is a step back. False when one of them names no version: then nothing
 * can be said about their age.
 */
export function isOlderTag(to: string | null, from: string | null): boolean {
  const [newer, present] = [versionInTag(to), versionInTag(from)];
  return newer !== null && present !== null && compareDelegateVersions(newer, present) < 0;
}
