import type { CheckId, Outcome, Rule } from '../check.ts';
import { fail, notApplicable, pass, skippedBecause, warn } from '../check.ts';
import { bypassRequest, findInspection } from '../inspection.ts';
import {
  isAboutAccount,
  isAdmission,
  isCertificateRefusal,
  isEndpointName,
  isTokenRefusal,
  readWords,
} from '../manager-words.ts';
import {
  explainName,
  explainTcp,
  explainTls,
  explainTunnel,
  isCertificateAlert,
  isNameAlert,
} from '../network/explain.ts';
import type { Seen, ServerView } from '../seen.ts';
import { isAddressLiteral, targetOf } from '../setup.ts';
import { moment, quoted } from '../wording.ts';

const WAY: readonly CheckId[] = ['environment', 'name-resolution', 'tcp', 'proxy'];

/** The way to the manager, layer by layer. */
export const NETWORK_RULES: readonly Rule<Seen>[] = [
  { id: 'name-resolution', needs: addressNeeds, judge: judgeName },
  { id: 'tcp', needs: ['name-resolution'], judge: judgeTcp },
  { id: 'proxy', needs: ['name-resolution', 'tcp'], judge: judgeProxy },
  { id: 'sni', needs: ['name-resolution', 'tcp', 'proxy'], judge: judgeServerName },
  { id: 'tls', needs: ['name-resolution', 'tcp', 'proxy'], judge: judgeTls },
  { id: 'tls-inspection', needs: ['tls'], judge: judgeInspection },
  { id: 'server-certificate', needs: ['tls', 'tls-inspection'], judge: judgeServer },
  { id: 'manager', needs: [...WAY, 'tls', 'tls-inspection', 'server-certificate'], judge: judgeManager },
];

/** A delegate name that is missing does not keep us from the network; an address that is missing does. */
function addressNeeds({ setup }: Seen): readonly CheckId[] {
  return setup.manager === null ? ['environment'] : [];
}

const targetIn = ({ setup }: Seen): string => (setup.manager === null ? 'the manager' : targetOf(setup.manager));

function judgeName(seen: Seen): Outcome {
  const { walk } = seen;
  if (walk === null) return skippedBecause('environment');
  const { addresses, dialled, proxy } = walk;
  if (!addresses.ok || addresses.value.length === 0) {
    const failure = addresses.ok ? { code: 'ENOTFOUND', status: null, text: '' } : addresses.failure;
    const { what, remedy } = explainName(dialled.host, failure, proxy !== null);
    return fail(what, remedy);
  }
  const whose = proxy === null ? dialled.host : `the proxy ${dialled.host} (which resolves the manager's name itself)`;
  if (isAddressLiteral(dialled.host)) return pass(`${whose}: an address, nothing to resolve.`);
  return pass(`${whose} is ${addresses.value.slice(0, 4).join(', ')}.`);
}

function judgeTcp({ walk }: Seen): Outcome {
  if (walk?.tcp == null) return notApplicable('It was not come to.');
  const { dialled, proxy, tcp } = walk;
  if (tcp.ok) return pass(`${proxy === null ? '' : 'The proxy '}${targetOf(dialled)} accepts connections.`);
  const { what, remedy } = explainTcp(dialled, tcp.failure, proxy !== null);
  return fail(what, remedy);
}

function judgeProxy(seen: Seen): Outcome {
  const { walk } = seen;
  if (walk === null || walk.proxy === null)
    return notApplicable('The environment names no proxy for this host, or NO_PROXY has it.');
  if (walk.tunnel === null) return notApplicable('It was not come to.');
  const target = targetIn(seen);
  if (walk.tunnel.ok) return pass(`${targetOf(walk.proxy)} opened a tunnel to ${target}.`);
  const { what, remedy } = explainTunnel(walk.proxy, target, walk.tunnel.failure);
  return fail(what, remedy);
}

function judgeServerName(seen: Seen): Outcome {
  const { setup, words, walk } = seen;
  const host = setup.manager?.host ?? '';
  const alerted = walk?.tls?.ok === false && isNameAlert(walk.tls.failure.code);
  const remedy = 'Set MANAGER_HOST_AND_PORT to the name of the endpoint, as "sallyport endpoint show" prints it.';
  if (isAddressLiteral(host)) {
    const what = `${host} is an address: TLS sends no server name for it, so no mTLS endpoint can be meant.`;
    const wanted = setup.clientCertificate !== null || (words !== null && isEndpointName(words.code));
    return wanted ? fail(what, remedy) : pass(what);
  }
  if (words !== null && isEndpointName(words.code))
    return fail(`The manager says: ${words.message}`, words.remedy || remedy);
  if (alerted) return fail(`${targetIn(seen)} does not serve the name "${host}".`, remedy);
  return pass(`The name "${host}" is sent.`);
}

function judgeTls(seen: Seen): Outcome {
  const { walk, server } = seen;
  if (walk?.tls == null) return notApplicable('It was not come to.');
  if (!walk.tls.ok) {
    if (isNameAlert(walk.tls.failure.code)) return skippedBecause('sni');
    const { what, remedy } = explainTls(targetIn(seen), walk.tls.failure);
    return fail(what, remedy);
  }
  return pass(`${targetIn(seen)} speaks ${server?.protocol}.`);
}

function judgeInspection(seen: Seen): Outcome {
  const { server, setup, words, now } = seen;
  const found = findInspection(seen);
  if (server === null || found.kind === 'none')
    return pass('Nothing in between ends TLS, as far as can be told from here.');
  const certain = found.kind === 'proven' ? 'ends TLS' : 'seems to end TLS';
  const what = `Something between here and ${targetIn(seen)} ${certain}: the certificate was issued by ${quoted(found.issuer)}, and ${found.why}.`;
  const request = bypassRequest(setup, server, now);
  const works = server.trusted && words !== null && isAdmission(words.code);
  const harmless = setup.clientCertificate === null || server.askedForCertificate;
  if (works && harmless) {
    return warn(what, 'It works without mTLS only. Ask for an exception for this host before you turn mTLS on.');
  }
  // A product's name in a certificate that is trusted and led to the endpoint's own question is a name, no more.
  if (found.kind === 'likely' && server.trusted && harmless)
    return warn(what, 'Ask whether this host is exempt from TLS inspection.');
  return fail(what, 'Send the request below to whoever runs that proxy: mTLS cannot pass through it.', request);
}

const CHAIN_ERRORS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'it is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'the root of its chain is not trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its issuer is not known here, and was not sent along',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its issuer is not known here, and was not sent along',
  UNABLE_TO_GET_ISSUER_CERT: 'the chain above its issuer is not known here',
  CERT_SIGNATURE_FAILURE: 'its signature is wrong',
  INVALID_PURPOSE: 'it is not for servers',
  CERT_UNTRUSTED: 'it is not trusted for servers',
};

function judgeServer(seen: Seen): Outcome {
  const { server, setup, now, skewMs } = seen;
  const leaf = server?.chain[0];
  if (server === null || leaf === undefined) return notApplicable('It was not come to.');
  const host = setup.manager?.host ?? '';
  if (server.trusted)
    return pass(`For "${host}", issued by ${quoted(leaf.issuer)}, until ${moment(leaf.notAfter.getTime())}.`);
  if (server.error === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const named =
      leaf.sans
        .map(({ value }) => value)
        .slice(0, 8)
        .join(', ') || leaf.subject;
    const what = `The certificate at ${targetIn(seen)} is not for "${host}", but for ${named}.`;
    return fail(
      what,
      'Set MANAGER_HOST_AND_PORT to a name of the certificate, or give the manager a certificate for this name.',
    );
  }
  if (server.error === 'CERT_HAS_EXPIRED' || server.error === 'CERT_NOT_YET_VALID')
    return judgeServerDates(seen, server, now + (skewMs ?? 0));
  return judgeServerChain(seen, server);
}

function judgeServerDates(seen: Seen, server: ServerView, there: number): Outcome {
  const bad = server.chain.find(({ notBefore, notAfter }) => there > notAfter.getTime() || there < notBefore.getTime());
  if (bad === undefined && seen.skewMs !== null) return skippedBecause('clock');
  const { subject, notBefore, notAfter } = bad ??
    server.chain[0] ?? { subject: '', notBefore: new Date(0), notAfter: new Date(0) };
  const what = `The certificate ${quoted(subject)} that ${targetIn(seen)} sends is valid from ${moment(notBefore.getTime())} to ${moment(notAfter.getTime())}, not now.`;
  return fail(
    what,
    'Tell whoever runs the manager: its server certificate has to be renewed. Nothing on this machine can mend it.',
  );
}

function judgeServerChain(seen: Seen, server: ServerView): Outcome {
  const leaf = server.chain[0];
  const why = CHAIN_ERRORS[server.error ?? ''] ?? `OpenSSL says ${server.error}`;
  const what = `The certificate at ${targetIn(seen)} is not trusted here: issued by ${quoted(leaf?.issuer)}, ${why} (${server.error}).`;
  const { extraCaFile } = seen.setup;
  const sentAlone = server.chain.length === 1 && leaf?.selfSigned === false;
  const give =
    extraCaFile === null
      ? 'Give the CA that issued it in SALLYPORT_EXTRA_CA_FILE'
      : `Add the CA that issued it to ${extraCaFile}`;
  const other = sentAlone ? '; if that CA is an intermediate, the server has to send it along' : '';
  return fail(
    what,
    `${give}${other}. If that issuer is a proxy that inspects TLS, ask for an exception for this host.`,
  );
}

function judgeManager(seen: Seen): Outcome {
  const { answer, setup } = seen;
  const target = targetIn(seen);
  if (answer === null) return notApplicable('It was not come to.');
  if (!answer.ok) {
    const { code } = answer.failure;
    if (isCertificateAlert(code)) return skippedBecause('client-certificate');
    if (code === 'TIMEOUT') {
      return fail(
        `${target} speaks TLS, but does not answer a request.`,
        'Look at the log and the load of the manager, and of load balancers in between.',
      );
    }
    return fail(
      `${target} closed the connection instead of answering (${code}).`,
      'Look at the log of the manager, and of load balancers in between.',
    );
  }
  const { status, headers } = answer.value;
  const words = readWords(answer.value);
  if (words === null) {
    const what = `${target} answered ${status} (${headers['content-type'] ?? 'no content type'}), which is no answer of a Sallyport manager.`;
    return fail(what, 'Check the address: another server, a load balancer or a proxy answers there by itself.');
  }
  if (words.code === null || isKnown(words.code) || !seen.asAgent)
    return pass(`A Sallyport manager answers at ${setup.manager?.url}.`);
  return fail(
    `The manager answered ${status} ${words.code}: ${words.message}`,
    words.remedy || 'Look at the log of the manager.',
  );
}

/** Codes that another check explains. */
function isKnown(code: string): boolean {
  return (
    isAdmission(code) ||
    isTokenRefusal(code) ||
    isAboutAccount(code) ||
    isCertificateRefusal(code) ||
    isEndpointName(code)
  );
}
