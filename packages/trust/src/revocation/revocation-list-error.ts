export type RevocationListProblem =
  | 'EMPTY'
  | 'PRIVATE_KEY'
  | 'MALFORMED_PEM'
  | 'MALFORMED_LIST'
  | 'UNEXPECTED_BLOCK'
  | 'TOO_MANY_LISTS'
  | 'SAME_ISSUER_TWICE'
  | 'DELTA_LIST'
  | 'INDIRECT_LIST'
  | 'PARTIAL_LIST'
  | 'UNKNOWN_CRITICAL_EXTENSION'
  | 'NO_NEXT_UPDATE'
  | 'NOT_YET_VALID'
  | 'EXPIRED'
  | 'UNKNOWN_ISSUER'
  | 'ISSUER_MAY_NOT_SIGN'
  | 'WEAK_SIGNATURE'
  | 'WRONG_SIGNATURE';

/** Why an upload is no certificate revocation list that can be used. The message names the list and the remedy. */
export class RevocationListError extends Error {
  override readonly name = 'RevocationListError';
  readonly problem: RevocationListProblem;

  constructor(problem: RevocationListProblem, message: string) {
    super(message);
    this.problem = problem;
  }
}
