import {
  createAuthority,
  createRevocationList,
  type IssuedCertificate,
  type IssuedPair,
  issueClientCertificate,
} from '@sallyport/trust';

const HOUR_MS = 3_600_000;

/** A CA made for one test, P-256 because that is quick. */
export class TestAuthority {
  readonly pair: IssuedPair;
  readonly #now: Date;

  private constructor(pair: IssuedPair, now: Date) {
    this.pair = pair;
    this.#now = now;
  }

  static async create(
    commonName: string,
    options: { now?: Date; days?: number; issuer?: TestAuthority } = {},
  ): Promise<TestAuthority> {
    const now = options.now ?? new Date();
    const pair = await createAuthority({
      subject: { commonName },
      keyAlgorithm: 'EC P-256',
      now,
      ...(options.days !== undefined && { days: options.days }),
      ...(options.issuer !== undefined && { issuer: options.issuer.pair }),
    });
    return new TestAuthority(pair, now);
  }

  get certificatePem(): string {
    return this.pair.certificatePem;
  }

  /** A client certificate with its key, made as if on the day `now`. */
  client(name: string, options: { now?: Date; days?: number } = {}): Promise<IssuedPair> {
    const { now = this.#now, days = 30 } = options;
    return issueClientCertificate({ authority: this.pair, name, keyAlgorithm: 'EC P-256', days, now });
  }

  /** A CRL, PEM: of now and for an hour unless told. */
  crl(
    revoked: readonly { readonly facts: Pick<IssuedCertificate['facts'], 'serialNumber'> }[],
    options: { number?: number; thisUpdate?: Date; nextUpdate?: Date } = {},
  ): Promise<string> {
    const { number = 1, thisUpdate = new Date(), nextUpdate = new Date(thisUpdate.getTime() + HOUR_MS) } = options;
    return createRevocationList({
      authority: this.pair,
      revoked: revoked.map(({ facts }) => facts.serialNumber),
      ...{ number, now: thisUpdate, nextUpdate },
    });
  }
}
