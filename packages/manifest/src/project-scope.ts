import { ManifestError } from './manifest-error.ts';

/** Given only to be refused by name: dropped silently, a whole account would get what was meant for one project. */
export interface ProjectScope {
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
}

/** @throws ManifestError PROJECT_CERTIFICATE. */
export function refuseProjectScope({ organization, project }: ProjectScope): void {
  const scope = project !== undefined ? `project "${project}"` : `organization "${organization}"`;
  if (project === undefined && organization === undefined) return;
  throw new ManifestError(
    'PROJECT_CERTIFICATE',
    `Project-level certificates are not supported: client certificates belong to the account, not to the ${scope}. Leave the scope out; the delegate itself may belong to a project.`,
  );
}
