import { type Arena, type Case, type Demand, fail, type Outcome, pass } from '../gauntlet.ts';
import { compose, exchange } from '../talk.ts';

const FORGED = ['X-Client-Verify: SUCCESS', 'X-Client-Subject: CN=forged'] as const;

interface Parts {
  readonly own: string;
  readonly other: string;
  readonly ownDemand: Demand;
  readonly otherDemand: Demand;
  /** A whole request for the other tenant, with the headers that a proxy would have set for its clients. */
  readonly hidden: string;
}

interface Plan {
  readonly name: string;
  readonly title: string;
  readonly attack: string;
  readonly taughtBy?: string;
  readonly bytes: (parts: Parts) => string;
}

/** A request for the own tenant whose body a second reader takes for another request. */
function carrying(parts: Parts, headers: readonly string[], body: string): string {
  const demand = { ...parts.ownDemand, body: '' };
  return `${compose(demand, { host: parts.own, headers, close: false })}${body}`;
}

const length = (text: string): string => `Content-Length: ${Buffer.byteLength(text, 'latin1')}`;
const chunked = (text: string): string => `${Buffer.byteLength(text, 'latin1').toString(16)}\r\n${text}\r\n0\r\n\r\n`;
const DESYNC = 'Two readers disagree where the first request ends; the rest is read as a request of the other tenant.';

function teVariant(name: string, title: string, header: string, taughtBy?: string): Plan {
  return {
    name,
    title,
    attack: DESYNC,
    ...(taughtBy !== undefined && { taughtBy }),
    bytes: (parts) => carrying(parts, [length(`0\r\n\r\n${parts.hidden}`), header], `0\r\n\r\n${parts.hidden}`),
  };
}

const PLANS: readonly Plan[] = [
  {
    name: 'pipelined-other-host',
    title: 'two requests in one write: the own host first, then the host of another tenant',
    attack: 'Host is compared with the SNI on the first request of a connection only.',
    bytes: (parts) =>
      compose(parts.ownDemand, { host: parts.own, close: false }) + compose(parts.otherDemand, { host: parts.other }),
  },
  {
    name: 'pipelined-ten',
    title: 'nine requests for the own host, the tenth for another tenant',
    attack: 'As above, deep in the pipeline.',
    bytes: (parts) =>
      compose(parts.ownDemand, { host: parts.own, close: false }).repeat(9) +
      compose(parts.otherDemand, { host: parts.other }),
  },
  teVariant('cl-te', 'Content-Length and Transfer-Encoding (CL.TE)', 'Transfer-Encoding: chunked'),
  {
    name: 'te-cl',
    title: 'Transfer-Encoding and a short Content-Length (TE.CL)',
    attack: DESYNC,
    bytes: (parts) => carrying(parts, ['Transfer-Encoding: chunked', 'Content-Length: 4'], chunked(parts.hidden)),
  },
  teVariant(
    'te-obs-fold',
    'Transfer-Encoding folded over two lines',
    'Transfer-Encoding:\r\n chunked',
    'CVE-2022-32215 (Node.js)',
  ),
  teVariant(
    'te-space-before-colon',
    'a space before the colon of Transfer-Encoding',
    'Transfer-Encoding : chunked',
    'CVE-2021-22959 (Node.js)',
  ),
  teVariant('te-tab', 'a vertical tab before chunked', 'Transfer-Encoding: \x0bchunked', 'CVE-2019-18277 (HAProxy)'),
  teVariant('te-unknown', 'an unknown transfer coding', 'Transfer-Encoding: xchunked', 'CVE-2019-18277 (HAProxy)'),
  teVariant('te-list', 'chunked, then identity', 'Transfer-Encoding: chunked, identity', 'CVE-2022-32213 (Node.js)'),
  teVariant(
    'te-twice',
    'Transfer-Encoding twice',
    'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
    'CVE-2020-8287 (Node.js)',
  ),
  {
    name: 'te-http-1.0',
    title: 'Transfer-Encoding in a request of HTTP/1.0',
    attack: DESYNC,
    bytes: (parts) =>
      carrying(parts, ['Transfer-Encoding: chunked', 'Connection: keep-alive'], chunked(parts.hidden)).replace(
        'HTTP/1.1',
        'HTTP/1.0',
      ),
  },
  {
    name: 'content-length-twice',
    title: 'two Content-Length headers that differ',
    attack: DESYNC,
    bytes: (parts) => carrying(parts, ['Content-Length: 0', length(parts.hidden)], parts.hidden),
  },
  {
    name: 'content-length-list',
    title: 'a list in Content-Length',
    attack: DESYNC,
    bytes: (parts) => carrying(parts, [`Content-Length: 0, ${Buffer.byteLength(parts.hidden)}`], parts.hidden),
  },
  {
    name: 'content-length-signed',
    title: 'a sign in Content-Length',
    attack: DESYNC,
    bytes: (parts) => carrying(parts, [`Content-Length: +${Buffer.byteLength(parts.hidden)}`], parts.hidden),
  },
  {
    name: 'content-length-empty',
    title: 'an empty Content-Length before the real one',
    attack: DESYNC,
    taughtBy: 'CVE-2023-40225 (HAProxy)',
    bytes: (parts) => carrying(parts, ['Content-Length:', length(parts.hidden)], parts.hidden),
  },
  {
    name: 'chunk-extension-lf',
    title: 'a bare LF in a chunk extension',
    attack: DESYNC,
    taughtBy: 'CVE-2021-22960 (Node.js)',
    bytes: (parts) => carrying(parts, ['Transfer-Encoding: chunked'], `2;\nxx\r\n0\r\n\r\n${parts.hidden}0\r\n\r\n`),
  },
  {
    name: 'chunk-size-overflow',
    title: 'a chunk size beyond 64 bits',
    attack: DESYNC,
    bytes: (parts) => carrying(parts, ['Transfer-Encoding: chunked'], `10000000000000000\r\n\r\n${parts.hidden}`),
  },
  {
    name: 'obs-fold-host',
    title: 'a second Host hidden in a folded line',
    attack: 'The folded line is a Host header to one reader and part of a value to the other.',
    bytes: (parts) => compose(parts.otherDemand, { host: parts.own, headers: ['X-Note: a', ` Host: ${parts.other}`] }),
  },
  {
    name: 'bare-lf',
    title: 'lines that end in LF alone, a second Host among them',
    attack: 'Where one reader ends the line, the other reads on.',
    taughtBy: 'CVE-2022-35256 (Node.js)',
    bytes: (parts) => compose(parts.otherDemand, { host: parts.own, headers: [`X-Note: a\nHost: ${parts.other}`] }),
  },
  {
    name: 'bare-cr',
    title: 'a bare CR inside a value, a second Host behind it',
    attack: 'Where one reader ends the line, the other reads on.',
    taughtBy: 'CVE-2023-30589 (Node.js)',
    bytes: (parts) => compose(parts.otherDemand, { host: parts.own, headers: [`X-Note: a\rHost: ${parts.other}`] }),
  },
  {
    name: 'nul-in-header',
    title: 'a NUL inside Host',
    attack: 'One reader stops at the NUL, the other does not.',
    bytes: (parts) => compose(parts.otherDemand, { host: `${parts.other}\0.${parts.own}` }),
  },
  {
    name: 'host-twice-own-first',
    title: 'Host twice: the own, then the other',
    attack: 'The first is compared with the SNI, the last is used.',
    bytes: (parts) => compose(parts.otherDemand, { host: parts.own, headers: [`Host: ${parts.other}`] }),
  },
  {
    name: 'host-twice-other-first',
    title: 'Host twice: the other, then the own',
    attack: 'The last is compared with the SNI, the first is used.',
    bytes: (parts) => compose(parts.otherDemand, { host: parts.other, headers: [`Host: ${parts.own}`] }),
  },
  {
    name: 'host-space-before-colon',
    title: 'a second Host with a space before its colon',
    attack: 'One reader ignores the header, the other takes it.',
    bytes: (parts) => compose(parts.otherDemand, { host: parts.own, headers: [`Host : ${parts.other}`] }),
  },
  {
    name: 'absolute-form-other',
    title: 'an absolute request target of the other tenant, Host the own',
    attack: 'RFC 9112 lets the target win over Host: the check looks at one, the routing at the other.',
    bytes: (parts) =>
      compose(parts.otherDemand, { host: parts.own, target: `https://${parts.other}${parts.otherDemand.path}` }),
  },
  {
    name: 'absolute-form-own',
    title: 'an absolute request target of the own tenant, Host the other',
    attack: 'The same the other way round.',
    bytes: (parts) =>
      compose(parts.otherDemand, { host: parts.other, target: `https://${parts.own}${parts.otherDemand.path}` }),
  },
  {
    name: 'connect',
    title: 'CONNECT to the other tenant, then its request inside',
    attack: 'A tunnel is opened behind the door, to a listener that asks nothing.',
    bytes: (parts) => `CONNECT ${parts.other}:443 HTTP/1.1\r\nHost: ${parts.own}\r\n\r\n${parts.hidden}`,
  },
  {
    name: 'http-1.0-without-host',
    title: 'HTTP/1.0 without Host',
    attack: 'No Host, no comparison: the default application answers.',
    bytes: (parts) => compose(parts.otherDemand, { host: null, version: 'HTTP/1.0' }),
  },
  {
    name: 'http-0.9',
    title: 'a request line without a version',
    attack: 'As above, in the oldest dialect.',
    bytes: (parts) => `GET ${parts.otherDemand.path}\r\n\r\n`,
  },
  {
    name: 'h2c-upgrade',
    title: 'an upgrade to h2c, then a request for the other tenant',
    attack: 'After 101 the proxy looks no more; the backend speaks HTTP/2 with whatever authority the client names.',
    taughtBy: 'BishopFox/h2csmuggler',
    bytes: (parts) =>
      compose(
        { ...parts.ownDemand, method: 'GET', body: '' },
        {
          host: parts.own,
          headers: ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA'],
          close: false,
        },
      ) + parts.hidden,
  },
];

async function run(arena: Arena, plan: Plan): Promise<Outcome> {
  const { target, a, b } = arena;
  const [own, other] = [target.nameOf(a.id), target.nameOf(b.id)];
  const [ownDemand, otherDemand] = [await target.demand(a.id), await target.demand(b.id)];
  const hidden = compose(otherDemand, { host: other, headers: [`X-Tenant: ${b.id}`, ...FORGED] });
  const bytes = plan.bytes({ own, other, ownDemand, otherDemand, hidden });
  const tls = { port: target.port, serverName: own, certificate: a.certificate };
  const answer = await exchange(target, tls, bytes);
  const statuses = [...answer.text.matchAll(/HTTP\/1\.[01] (\d{3})/g)].map(([, status]) => status).join(', ');
  if (target.admits(answer.text, b.id)) return fail(`admitted as the other tenant: ${statuses}`);
  const after = await exchange(target, tls, compose(ownDemand, { host: own }));
  if (target.admits(after.text, b.id)) return fail('the next client was given the answer of the other tenant');
  return target.admits(after.text, a.id)
    ? pass(statuses || answer.seen)
    : fail(`then a rightful client: ${after.seen}`);
}

const group = 'HTTP requests across tenants';

export const requests: readonly Case[] = [
  ...PLANS.map((plan) => ({
    id: `requests/${plan.name}`,
    group,
    title: plan.title,
    attack: plan.attack,
    ...(plan.taughtBy !== undefined && { taughtBy: plan.taughtBy }),
    expected: 'nothing on the connection of one tenant is answered as the other',
    run: (arena: Arena) => run(arena, plan),
  })),
  {
    id: 'requests/behind-a-refusal',
    group,
    title: 'without a certificate: ten requests in one write',
    attack: 'Only the first request is refused; what is pipelined behind it finds the connection open.',
    expected: 'none is admitted',
    run: async (arena: Arena) => {
      const { target, a } = arena;
      const name = target.nameOf(a.id);
      const one = compose(await target.demand(a.id), { host: name, close: false });
      const answer = await exchange(target, { port: target.port, serverName: name }, one.repeat(10));
      return target.admits(answer.text, a.id) ? fail(`admitted: ${answer.seen}`) : pass(answer.seen);
    },
  },
];
