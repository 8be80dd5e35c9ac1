import type { CheckId, Outcome, Rule } from '../check.ts';
import { fail, notApplicable, pass, skippedBecause, warn } from '../check.ts';
import { isAdmission, isCertificateRefusal, isTokenRefusal, readWords } from '../manager-words.ts';
import { explainName, explainTcp, explainTls, explainTunnel, isCertificateAlert } from '../network/explain.ts';
import type { LogService, ManagerWords, Seen } from '../seen.ts';
import { type Setup, targetOf } from '../setup.ts';
import { quoted } from '../wording.ts';

const REACHED: readonly CheckId[] = ['environment', 'tls', 'tls-inspection', 'server-certificate', 'sni'];
const CERTIFICATE: readonly CheckId[] = ['file-access', 'pair', 'chain', 'purpose', 'validity'];

/** What the manager says to this delegate, and what it serves it with. */
export const ADMISSION_RULES: readonly Rule<Seen>[] = [
  { id: 'client-certificate', needs: [...CERTIFICATE, ...REACHED], judge: judgeCertificate },
  { id: 'account', needs: ['client-certificate', ...REACHED, 'manager'], judge: judgeAccount },
  { id: 'mode', needs: ['account'], judge: judgeMode },
  { id: 'token', needs: ['token-form', 'mode', 'clock'], judge: judgeToken },
  { id: 'web-socket', needs: ['token'], judge: judgeWebSocket },
  { id: 'log-service', needs: logNeeds, judge: judgeLog },
];

const MTLS_ADDRESS = 'Set MANAGER_HOST_AND_PORT to the mTLS endpoint, as "sallyport endpoint show" prints it.';

function said({ words }: Seen, remedy: string): Outcome {
  return fail(`The manager says: ${words?.message}`, words?.remedy || remedy);
}

function judgeCertificate(seen: Seen): Outcome {
  const { setup, server, words, answer, pair } = seen;
  const configured = setup.clientCertificate !== null;
  if (answer?.ok === false && isCertificateAlert(answer.failure.code)) {
    const what = `The server ended the connection over the client certificate (${answer.failure.code}).`;
    return fail(
      what,
      configured ? 'Check that a CA of the endpoint issued it.' : 'Give the delegate a client certificate.',
    );
  }
  if (words === null) return skippedBecause('manager');
  if (isCertificateRefusal(words.code)) return said(seen, 'Give the delegate a certificate that the endpoint accepts.');
  if (!configured) return notApplicable('No client certificate is configured: this delegate connects without mTLS.');
  if (server?.askedForCertificate !== true) {
    const what = `The server at ${setup.manager?.url} did not ask for the client certificate: it is no mTLS endpoint, but the public address or a load balancer.`;
    return isAdmission(words.code)
      ? warn(`${what} The delegate connects without mTLS.`, MTLS_ADDRESS)
      : fail(
          `${what} ${words.code === 'INVALID_AGENT_MTLS_AUTHORITY' ? `The manager says: ${words.message}` : ''}`.trim(),
          MTLS_ADDRESS,
        );
  }
  return pass(`The manager accepts ${quoted(pair?.leaf?.subject)}.`);
}

function judgeAccount(seen: Seen): Outcome {
  const { setup, words, server, accountKnown } = seen;
  if (words === null) return skippedBecause('manager');
  const refusedWay = words.code === 'INVALID_AGENT_MTLS_AUTHORITY';
  if (accountKnown === false && (refusedWay || isTokenRefusal(words.code))) {
    const what = `The manager has no account "${setup.accountId}".`;
    return fail(what, 'Set ACCOUNT_ID to the identifier that "sallyport account show" prints.');
  }
  const throughEndpoint = server?.askedForCertificate === true;
  if (refusedWay && throughEndpoint) {
    const what = `The endpoint ${setup.manager?.host} is not the one of account "${setup.accountId}".${ownWords(words)}`;
    const remedy = 'Check ACCOUNT_ID and MANAGER_HOST_AND_PORT: both have to be of the same account.';
    return fail(what, words.reason === null ? remedy : words.remedy || remedy);
  }
  const where = throughEndpoint ? `, through its endpoint ${setup.manager?.host}` : '';
  return pass(`Account "${setup.accountId}"${where}.`);
}

function judgeMode(seen: Seen): Outcome {
  const { setup, words, server } = seen;
  if (words?.code === 'INVALID_AGENT_MTLS_AUTHORITY') {
    const what = `Account "${setup.accountId}" accepts mTLS delegates only (STRICT), and this one connects without.${ownWords(words)}`;
    return fail(
      what,
      words.reason === null
        ? 'Give the delegate a client certificate, and the address of the mTLS endpoint.'
        : words.remedy,
    );
  }
  return pass(
    server?.askedForCertificate === true
      ? 'mTLS: accepted in every mode.'
      : 'Without mTLS: accepted, the account is not STRICT.',
  );
}

/** The manager tells its reasons to those only who hold one of the account's tokens. */
const ownWords = ({ reason, message }: ManagerWords): string =>
  reason === null ? '' : ` The manager says: ${message}`;

function judgeToken(seen: Seen): Outcome {
  const { words, setup } = seen;
  if (words === null) return skippedBecause('manager');
  if (isTokenRefusal(words.code)) return said(seen, 'Give DELEGATE_TOKEN an active token of the account.');
  return pass(`The manager knows the token in ${setup.token.variable}, and it is active.`);
}

function judgeWebSocket({ setup, upgrade }: Seen): Outcome {
  if (setup.pollOnly) return notApplicable('POLL_FOR_TASKS is true: the delegate polls.');
  if (upgrade === null) return notApplicable('It was not come to.');
  const words = upgrade.ok ? readWords(upgrade.value) : null;
  if ((upgrade.ok && upgrade.value.status === 101) || words?.code === 'DELEGATE_NOT_REGISTERED') {
    return pass('An upgrade to WebSocket reaches the manager: tasks can be pushed.');
  }
  const seen = upgrade.ok
    ? `answered ${upgrade.value.status}${words === null ? '' : ` ${words.code}`}`
    : upgrade.failure.code;
  const what = `Requests get through, but no upgrade to WebSocket (${seen}): something in between strips it.`;
  return warn(
    what,
    'Let the load balancer or proxy pass "Upgrade: websocket" on. Until then the delegate polls, which works.',
  );
}

function logNeeds({ setup }: Seen): readonly CheckId[] {
  const { manager, logService } = setup;
  if (manager === null || logService === null || targetOf(manager) !== targetOf(logService)) return ['environment'];
  return [...REACHED, 'manager', 'client-certificate', 'account', 'mode', 'token'];
}

/** The one thing to do about an address of the log service that leads nowhere. */
function logRemedy({ manager, logService }: Setup): string {
  const usual = `${manager?.url}/log-service`;
  return logService?.url === usual
    ? 'Look at the log of the manager, and at what lies in between: it serves its log service there, and everything else it serves.'
    : `Set LOG_STREAMING_SERVICE_URL to ${usual}/.`;
}

function judgeLog({ setup, log }: Seen): Outcome {
  if (log === null || setup.logService === null) return notApplicable('It was not come to.');
  const elsewhere = setup.manager !== null && setup.logService.host !== setup.manager.host;
  const unreachable = log.answer === null || !log.answer.ok;
  if (unreachable)
    return fail(
      `The log service at ${log.url} cannot be reached: ${explainWay(setup.logService, log)}`,
      logRemedy(setup),
    );
  const answer = log.answer?.ok ? log.answer.value : null;
  const status = answer?.status ?? 0;
  if (status === 404) {
    return warn(
      `No log service answers at ${log.url} (404): task logs go nowhere, tasks run all the same.`,
      logRemedy(setup),
    );
  }
  if (status < 200 || status > 299) {
    const words = answer === null ? null : readWords(answer);
    return fail(
      `${log.url} answered ${status}${words?.message ? `: ${words.message.replace(/\.$/, '')}` : ''}.`,
      words?.remedy || logRemedy(setup),
    );
  }
  if (elsewhere && setup.clientCertificate !== null) {
    const what = `Task logs go to ${setup.logService.host}, not to ${setup.manager?.host}: they bypass the mTLS endpoint.`;
    return warn(what, `Set LOG_STREAMING_SERVICE_URL to ${setup.manager?.url}/log-service/.`);
  }
  return pass(`${log.url} answers.`);
}

function explainWay(
  address: { readonly host: string; readonly port: number },
  { walk, server, answer }: LogService,
): string {
  if (server !== null && !server.trusted) return `its certificate is not trusted here (${server.error}).`;
  if (answer?.ok === false) return `no answer to the request (${answer.failure.code}).`;
  if (walk === null) return 'nobody looked.';
  const forProxy = walk.proxy !== null;
  if (!walk.addresses.ok) return explainName(walk.dialled.host, walk.addresses.failure, forProxy).what;
  if (walk.tcp?.ok === false) return explainTcp(walk.dialled, walk.tcp.failure, forProxy).what;
  if (walk.tunnel?.ok === false && walk.proxy !== null)
    return explainTunnel(walk.proxy, targetOf(address), walk.tunnel.failure).what;
  if (walk.tls?.ok === false) return explainTls(targetOf(address), walk.tls.failure).what;
  return 'the way ended without an answer.';
}
