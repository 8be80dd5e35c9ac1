// The gateway's first door in one call: a real handshake, then the verdict.
import { describeCertificate } from '../src/client-certificate.ts';
import { type ConnectionVerdict, judgeConnection } from '../src/connection-verdict.ts';
import { createEndpointContext, type HandshakeResult, handshakeInProcess } from '../src/in-process-handshake.ts';
import { type Made, make } from './certificate-maker.ts';

export const fqdn = 'blue.agent.example.test';
const server = await make({ subject: fqdn });

export function shakeHands(
  bundle: readonly Made[],
  sent: readonly Made[],
  key = sent[0]?.keyPem,
): Promise<HandshakeResult> {
  const context = createEndpointContext({ cert: server.pem, key: server.keyPem, ca: bundle.map(({ pem }) => pem) });
  const cert = sent.map(({ pem }) => pem).join('');
  return handshakeInProcess(context, { servername: fqdn, ...(key === undefined ? {} : { cert, key }) });
}

export interface Knocked {
  readonly verdict: ConnectionVerdict;
  readonly handshake: HandshakeResult;
}

export async function knock(
  bundle: readonly Made[],
  sent: readonly Made[],
  options: { readonly now?: Date; readonly known?: readonly Made[] } = {},
): Promise<Knocked> {
  const handshake = await shakeHands(bundle, sent);
  const [leaf, ...chainSent] = handshake.sent.map(describeCertificate);
  const verdict = judgeConnection({
    endpoint: { fqdn, accountId: 'acme', authorities: bundle.map(({ facts }) => facts) },
    serverName: fqdn,
    presented: leaf === undefined ? null : { leaf, chainSent },
    verification: handshake,
    knownIntermediates: options.known?.map(({ facts }) => facts) ?? [],
    now: options.now ?? new Date(),
  });
  return { verdict, handshake };
}
