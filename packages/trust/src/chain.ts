import type { CertificateFacts } from './certificate-facts.ts';
import { sentPath } from './issuer-evidence.ts';
import { listSubjects, quoteSubject } from './wording.ts';

export interface OrderedChain<T extends CertificateFacts> {
  readonly leaf: T;
  /** The intermediates above the leaf, the next issuer first: what belongs into client.crt after the leaf. */
  readonly intermediates: readonly T[];
  /** The self-signed end, when it was among them. A client need not send it. */
  readonly root: T | null;
  /** What does not belong to this leaf. */
  readonly unrelated: readonly T[];
}

export class ChainError extends Error {
  override readonly name = 'ChainError';
  readonly problem: 'NO_LEAF' | 'SEVERAL_LEAVES';

  constructor(problem: 'NO_LEAF' | 'SEVERAL_LEAVES', message: string) {
    super(message);
    this.problem = problem;
  }
}

/**
 * Puts a client certificate and what lies above it in the order in which TLS wants them sent. It goes by names and key
 * ids: an arrangement, not a verification.
 * @throws ChainError when there is no client certificate, or more than one.
 */
export function orderChain<T extends CertificateFacts>(certificates: readonly T[]): OrderedChain<T> {
  const distinct = [...new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate])).values()];
  const [leaf, ...others] = distinct.filter(({ isCa }) => !isCa);
  if (leaf === undefined) {
    throw new ChainError(
      'NO_LEAF',
      `There is no client certificate, only ${listSubjects(distinct) || 'nothing'}. Add client.crt.`,
    );
  }
  if (others.length > 0) {
    throw new ChainError(
      'SEVERAL_LEAVES',
      `There are ${others.length + 1} client certificates, ${listSubjects([leaf, ...others])}. Keep one, such as ${quoteSubject(leaf)}.`,
    );
  }
  const authorities = distinct.filter((certificate) => certificate !== leaf);
  const path = sentPath(leaf, authorities).slice(1);
  const above = authorities.filter((certificate) => path.includes(certificate));
  above.sort((left, right) => path.indexOf(left) - path.indexOf(right));
  const last = above.at(-1);
  const root = last?.selfSigned ? last : null;
  return {
    leaf,
    intermediates: above.filter((certificate) => certificate !== root),
    root,
    unrelated: authorities.filter((certificate) => !path.includes(certificate)),
  };
}
