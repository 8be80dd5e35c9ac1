/** Why a manifest could not be read, generated or migrated. Codes are never reused. */
export type ManifestErrorCode =
  | 'CERTIFICATE_MISSING'
  | 'CERTIFICATE_REFUSED'
  | 'CERTIFICATE_UNREADABLE'
  | 'DELEGATE_UNKNOWN'
  | 'DUPLICATE_KEY'
  | 'ENDPOINT_INVALID'
  | 'FORM_UNKNOWN'
  | 'HELM_RENDERED'
  | 'HELM_TEMPLATE'
  | 'IMAGE_NOT_IMMUTABLE'
  | 'KEY_MISMATCH'
  | 'MOUNT_CONFLICT'
  | 'NO_DELEGATE'
  | 'OPTION_INVALID'
  | 'PROJECT_CERTIFICATE'
  | 'SECRET_NAME_TAKEN'
  | 'SEVERAL_DELEGATES'
  | 'SHAPE_UNSUPPORTED'
  | 'SUBPATH_MOUNT'
  | 'YAML_INVALID';

/** Refusal: nothing was changed. The message says what is wrong, with which value, and what to do next. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  readonly code: ManifestErrorCode;
  /** The line of the input, from 1; undefined when the fault is in the options. */
  readonly line: number | undefined;
  readonly column: number | undefined;

  constructor(code: ManifestErrorCode, message: string, at?: { readonly line: number; readonly column: number }) {
    super(message);
    this.code = code;
    this.line = at?.line;
    this.column = at?.column;
  }
}
