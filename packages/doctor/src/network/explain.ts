import type { ProxySettings } from '@sallyport/client';
import type { Problem } from '../setup.ts';
import { targetOf } from '../setup.ts';
import type { StepFailure } from './step.ts';

const FIREWALL = 'Ask whoever runs the network to allow outgoing TCP to it';
const OWN_PROXY = 'if this network is left through a proxy, set HTTPS_PROXY or PROXY_HOST and PROXY_PORT';

export function explainName(host: string, { code }: StepFailure, forProxy: boolean): Problem {
  const whose = forProxy ? `the proxy ${host}` : host;
  const check = forProxy ? 'Check PROXY_HOST (or HTTPS_PROXY)' : 'Check MANAGER_HOST_AND_PORT';
  if (code === 'TIMEOUT' || code === 'EAI_AGAIN') {
    const remedy = 'Check the name servers in /etc/resolv.conf, and in a pod the DNS policy and network policy.';
    return { what: `The name server gave no answer about ${whose} (${code}).`, remedy };
  }
  return {
    what: `The name of ${whose} does not resolve (${code}).`,
    remedy: `${check}, and ask the name server for it: nslookup ${host}.`,
  };
}

export function explainTcp(dialled: { host: string; port: number }, { code }: StepFailure, forProxy: boolean): Problem {
  const target = targetOf(dialled);
  const who = forProxy ? `the proxy ${target}` : target;
  const here = forProxy ? 'Check PROXY_HOST and PROXY_PORT (or HTTPS_PROXY), and that the proxy runs.' : null;
  if (code === 'ECONNREFUSED') {
    const remedy = here ?? 'Check host and port of MANAGER_HOST_AND_PORT, and that the manager is running.';
    return { what: `Nothing accepts connections at ${who} (ECONNREFUSED).`, remedy };
  }
  if (code === 'ECONNRESET') {
    return {
      what: `The connection to ${who} was reset at once.`,
      remedy: here ?? `${FIREWALL} (${target}); ${OWN_PROXY}.`,
    };
  }
  const silent = code === 'TIMEOUT' || code === 'ETIMEDOUT';
  const what = silent
    ? `${who} does not answer: packets are dropped on the way (${code}).`
    : `There is no way to ${who} (${code}).`;
  return { what, remedy: here ?? `${FIREWALL} (${target}); ${OWN_PROXY}.` };
}

export function explainTunnel(proxy: ProxySettings, target: string, failure: StepFailure): Problem {
  const name = `The proxy ${proxy.scheme}://${targetOf(proxy)}`;
  const { code, status, text } = failure;
  if (status === 407) {
    const given = proxy.authorization === null ? 'and none are set' : 'and refused the ones that are set';
    return {
      what: `${name} wants a user and a password (407), ${given}.`,
      remedy: 'Set PROXY_USER and PROXY_PASSWORD.',
    };
  }
  const wantsCertificate = status === 496 || status === 495 || (status !== null && /certificate/i.test(text));
  if (
    wantsCertificate ||
    /WANTS_CERTIFICATE|CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE|ALERT_BAD_CERTIFICATE/.test(code)
  ) {
    const remedy =
      'Ask whoever runs the proxy to let this machine in without one, or list the manager in NO_PROXY: the delegate shows its certificate to the manager only.';
    return { what: `${name} itself wants a client certificate (${status ?? code.replace(/^PROXY_/, '')}).`, remedy };
  }
  if (status !== null) {
    const remedy = `Ask whoever runs the proxy to allow CONNECT to ${target}, or list the host in NO_PROXY.`;
    return { what: `${name} refused a tunnel to ${target} (${status}).`, remedy };
  }
  if (code === 'PROXY_SILENT_HANDSHAKE') {
    const remedy =
      'Set PROXY_SCHEME=http (or http:// in HTTPS_PROXY) if it does not speak TLS itself; else look at the proxy, its load and its log.';
    return { what: `${name} takes TCP connections, but does not answer the TLS handshake.`, remedy };
  }
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH/.test(code)) {
    return { what: `${name} does not speak TLS.`, remedy: 'Set PROXY_SCHEME=http (or http:// in HTTPS_PROXY).' };
  }
  if (/HPE_|PARSE/.test(code)) {
    const remedy = 'Check host and port; if the proxy speaks TLS itself, set PROXY_SCHEME=https.';
    return { what: `${name} does not answer as an HTTP proxy does (${code}).`, remedy };
  }
  if (/TIMEOUT/.test(code)) {
    const remedy = `Ask whoever runs the proxy whether it can reach ${target}.`;
    return { what: `${name} took the request for a tunnel and does not answer it.`, remedy };
  }
  if (/CERT|SIGNED|ISSUER|VERIFY|ALTNAME/.test(code)) {
    const remedy =
      "Give the CA of the proxy's certificate in SALLYPORT_EXTRA_CA_FILE, and PROXY_HOST as the certificate has it.";
    return { what: `${name} has a certificate that is not trusted here (${code.replace(/^PROXY_/, '')}).`, remedy };
  }
  const remedy = 'Check PROXY_SCHEME, PROXY_HOST and PROXY_PORT, and the log of the proxy.';
  return {
    what: `${name} ended the connection when it was asked for a tunnel (${code.replace(/^PROXY_/, '')}).`,
    remedy,
  };
}

export function explainTls(target: string, { code }: StepFailure): Problem {
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST/.test(code)) {
    const remedy = 'Check the port of MANAGER_HOST_AND_PORT: a plain HTTP port, or a proxy, answers there.';
    return { what: `${target} does not speak TLS.`, remedy };
  }
  if (/PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|VERSION_TOO_LOW|NO_PROTOCOLS/.test(code)) {
    const remedy = 'Whatever ends TLS there (a load balancer, a proxy) has to offer TLS 1.2 or 1.3.';
    return { what: `${target} offers no TLS version that is safe to use (TLS 1.2 and 1.3 are; ${code}).`, remedy };
  }
  if (/HANDSHAKE_FAILURE|NO_SHARED|INSUFFICIENT_SECURITY/.test(code)) {
    const remedy = 'Look at the TLS settings of what answers there, ciphers first.';
    return { what: `${target} and this machine found no way to encrypt in common (${code}).`, remedy };
  }
  if (code === 'TIMEOUT') {
    const remedy =
      'Ask whether a firewall in between drops TLS it cannot read, and look whether the manager is overloaded.';
    return { what: `${target} takes TCP connections, but does not answer the TLS handshake.`, remedy };
  }
  const remedy =
    'Something in between ends TLS connections to this host (a firewall that filters by name, a load balancer without a server behind it): ask whoever runs it to let it pass.';
  return { what: `The connection to ${target} was cut during the TLS handshake (${code}).`, remedy };
}

/** An alert by which a server refuses a client's certificate (RFC 8446 section 6.2). */
export const isCertificateAlert = (code: string): boolean =>
  /ALERT_(CERTIFICATE|BAD_CERTIFICATE|UNKNOWN_CA|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)|CERTIFICATE_REQUIRED/.test(
    code,
  );

export const isNameAlert = (code: string): boolean => /UNRECOGNIZED_NAME/.test(code);
