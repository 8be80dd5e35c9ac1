import { createAuthority, issueServerCertificate } from '@sallyport/trust';
import { type Made, makeCa } from '../tenants.ts';

/** The certificate that every target shows its clients, and a CA that it finds among its system's roots. */
export interface ServerIdentity {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
  readonly authorityPem: string;
  readonly systemRoot: Made;
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
  const systemRoot = await makeCa({ subject: 'A CA of the public web' });
  return { certificatePem, privateKeyPem, authorityPem: authority.certificatePem, systemRoot };
}
