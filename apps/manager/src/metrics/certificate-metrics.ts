import { Gauge, type Registry } from 'prom-client';
import { type CertificateFigures, LEFT } from '../certificates/certificate-figures.ts';

/**
 * Client certificates by the time that they have left. Endpoints are named, and that is the one label that is about an
 * account: only those whose certificates end first are, as many as the operator's setting says.
 */
export function reportCertificates(registry: Registry, figures: CertificateFigures): void {
  const registers = [registry];
  new Gauge({
    name: 'sallyport_client_certificates',
    help: 'Client certificates that delegates depend on, of all accounts, by the time left.',
    labelNames: ['left'],
    registers,
    async collect() {
      const { all } = await figures.read();
      for (const left of LEFT) this.set({ left }, all[left] ?? 0);
    },
  });
  new Gauge({
    name: 'sallyport_endpoint_client_certificates',
    help: 'The same by endpoint, of the endpoints whose certificates end first.',
    labelNames: ['endpoint', 'left'],
    registers,
    async collect() {
      const { endpoints } = await figures.read();
      this.reset();
      for (const { fqdn: endpoint, counts } of endpoints) {
        for (const left of LEFT) this.set({ endpoint, left }, counts[left] ?? 0);
      }
    },
  });
  new Gauge({
    name: 'sallyport_endpoint_soonest_expiry_seconds',
    help: 'Until the first client certificate of the endpoint ends; negative when one has.',
    labelNames: ['endpoint'],
    registers,
    async collect() {
      const { endpoints } = await figures.read();
      this.reset();
      const now = figures.now();
      for (const { fqdn: endpoint, soonest } of endpoints) this.set({ endpoint }, Math.round((soonest - now) / 1000));
    },
  });
}
