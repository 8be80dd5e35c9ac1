export { CHECKS, type Check, type CheckClass, type CheckId, type Status } from './check.ts';
export { type Diagnosis, diagnose } from './diagnose.ts';
export type { DoctorInput } from './examine.ts';
export { describedFiles, type FileLook, type FileSource } from './files/file-source.ts';
export { type FileUser, type MachineFilesOptions, machineFiles } from './files/machine-files.ts';
export { type DescribedDelegate, describedDelegate } from './from-manifest.ts';
export { TIME_LIMITS, type TimeLimits } from './network/step.ts';
