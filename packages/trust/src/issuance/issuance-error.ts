export type IssuanceProblem =
  | 'CERTIFICATE_UNREADABLE'
  | 'KEY_UNREADABLE'
  | 'PASSPHRASE_NEEDED'
  | 'PASSPHRASE_WRONG'
  | 'KEY_MISMATCH'
  | 'NOT_A_CA'
  | 'CA_NOT_RENEWABLE'
  | 'AUTHORITY_OUT_OF_DATE'
  | 'REQUEST_UNREADABLE'
  | 'REQUEST_REFUSED'
  | 'INVALID_NAME'
  | 'INVALID_LIFETIME';

/** Why nothing was issued. The message names the value and the remedy, and never holds a byte of a key or a passphrase. */
export class IssuanceError extends Error {
  override readonly name = 'IssuanceError';
  readonly problem: IssuanceProblem;

  constructor(problem: IssuanceProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}
