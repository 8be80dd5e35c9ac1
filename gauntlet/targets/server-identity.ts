import { createAuthority, issueServerCertificate } from '@sallyport/trust';

/** The certificate that every target shows its clients. */
export interface ServerIdentity {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly authorityPem: string;
}

export async function newServerIdentity(): Promise<ServerIdentity> {
  const now = new Date();
  const authority = await createAuthority({ subject: { commonName: 'gauntlet' }, keyAlgorithm: 'EC P-256', now });
  const { certificatePem, privateKeyPem } = await issueServerCertificate({
    authority,
    dnsNames: ['localhost', '*.agent.localhost'],
    keyAlgorithm: 'EC P-256',
    days: 1,
    now,
  });
  return { certificatePem, privateKeyPem, authorityPem: authority.certificatePem };
}
