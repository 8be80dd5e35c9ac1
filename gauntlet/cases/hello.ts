import { type Cut, intoRecords, type SplittingProxy, splittingProxy } from '@sallyport/dev-env';
import { type Arena, type Case, fail, type Outcome, pass } from '../gauntlet.ts';
import { type Answer, type Knock, knock, type Version } from '../talk.ts';

const TRAEFIK = 'CVE-2026-32305 (Traefik)';
const AT_ONCE = 12;
/** Few groups and ciphers make a ClientHello short enough to try every place. */
const SHORT = { groups: 'P-256', ciphers: 'TLS_AES_128_GCM_SHA256:ECDHE-ECDSA-AES128-GCM-SHA256' };
const POST_QUANTUM = { groups: 'X25519MLKEM768:X25519', version: 'TLSv1.3' } as const;

/** One door, tried with its certificate and without, through a network that cuts the ClientHello. */
async function bothWays(arena: Arena, proxy: SplittingProxy, options: Partial<Knock>): Promise<string | null> {
  const { target, a } = arena;
  const at = { tenant: a.id, port: proxy.port, ...options };
  const bare = await knock(target, at);
  if (target.admits(bare.text, a.id)) return `admitted without a certificate (${bare.seen})`;
  const own = await knock(target, { ...at, certificate: a.certificate });
  return target.admits(own.text, a.id) ? null : `a rightful client is refused (${own.seen})`;
}

async function everyByte(arena: Arena, version: Version): Promise<Outcome> {
  const { target, a } = arena;
  return through(arena, async (proxy) => {
    let length = 0;
    proxy.cut = (hello) => {
      length = hello.length;
      return [hello];
    };
    const problem = await bothWays(arena, proxy, { version, ...SHORT });
    if (problem !== null) return fail(`uncut: ${problem}`);
    const every = arena.thorough ? 1 : 5;
    const places = Array.from({ length: Math.floor((length - 1) / every) }, (_, index) => (index + 1) * every);
    const next = places[Symbol.iterator]();
    proxy.cut = (hello) => {
      const place = next.next().value ?? 1;
      return [hello.subarray(0, place), hello.subarray(place)];
    };
    for (let done = 0; done < places.length; done += AT_ONCE) {
      const batch = places.slice(done, done + AT_ONCE);
      const own = (): Promise<Answer> =>
        knock(target, { tenant: a.id, port: proxy.port, certificate: a.certificate, version, ...SHORT });
      for (const answer of await Promise.all(batch.map(own))) {
        if (!target.admits(answer.text, a.id)) return fail(`a rightful client is refused: ${answer.seen}`);
      }
    }
    return pass(`${places.length} places`);
  });
}

async function bareEveryByte(arena: Arena): Promise<Outcome> {
  const { target, a } = arena;
  return through(arena, async (proxy) => {
    let place = 0;
    proxy.cut = (hello) => {
      place += 7;
      const at = place % hello.length;
      return [hello.subarray(0, at), hello.subarray(at)];
    };
    for (let done = 0; done < 48; done += AT_ONCE) {
      const bare = (): Promise<Answer> => knock(target, { tenant: a.id, port: proxy.port, ...SHORT });
      for (const answer of await Promise.all(Array.from({ length: AT_ONCE }, bare))) {
        if (target.admits(answer.text, a.id)) return fail(`admitted without a certificate: ${answer.seen}`);
      }
    }
    return pass('48 places');
  });
}

async function withCuts(arena: Arena, cuts: readonly Cut[], options: Partial<Knock>): Promise<Outcome> {
  return through(arena, async (proxy) => {
    for (const [index, cut] of cuts.entries()) {
      proxy.cut = cut;
      const problem = await bothWays(arena, proxy, options);
      if (problem !== null) return fail(`cut ${index + 1} of ${cuts.length}: ${problem}`);
    }
    return pass(`${cuts.length} ways of cutting`);
  });
}

async function withNul(arena: Arena, where: (name: string) => string): Promise<Outcome> {
  const { target, a } = arena;
  const name = target.nameOf(a.id);
  return through(arena, async (proxy) => {
    proxy.cut = (hello) => {
      const changed = Buffer.from(hello);
      changed.write(where(name), changed.indexOf(name), 'latin1');
      return [changed];
    };
    const answer = await knock(target, { tenant: a.id, port: proxy.port, certificate: a.certificate });
    return target.admits(answer.text, a.id) ? fail(`admitted: ${answer.seen}`) : pass(answer.seen);
  });
}

async function garbage(arena: Arena): Promise<Outcome> {
  const { target, a } = arena;
  return through(arena, async (proxy) => {
    for (const bytes of [
      'GET / HTTP/1.1\r\n\r\n',
      '\x16\x03\x01\x00\x05hello',
      '\x16\x03\x01\xff\xff',
      '\x80'.repeat(300),
    ]) {
      proxy.cut = () => [Buffer.from(bytes, 'latin1')];
      const answer = await knock(target, { tenant: a.id, port: proxy.port });
      if (target.admits(answer.text, a.id)) return fail(`admitted: ${answer.seen}`);
    }
    const own = await knock(target, { tenant: a.id, certificate: a.certificate });
    return target.admits(own.text, a.id) ? pass('others are served on') : fail(`others are not: ${own.seen}`);
  });
}

async function through(arena: Arena, run: (proxy: SplittingProxy) => Promise<Outcome>): Promise<Outcome> {
  const proxy = await splittingProxy(arena.target.port);
  try {
    return await run(proxy);
  } finally {
    await proxy.close();
  }
}

const group = 'ClientHello';
const ADMITS_THE_SAME = 'with the certificate admitted, without it refused, wherever the cut is';
const SPLIT = 'A name that arrives in pieces is not recognised, and the connection gets the permissive default.';

export const hello: readonly Case[] = [
  ...(['TLSv1.2', 'TLSv1.3'] as const).map((version) => ({
    id: `hello/every-byte/${version}`,
    group,
    title: `the ClientHello in two segments, cut at every byte (${version})`,
    attack: SPLIT,
    taughtBy: TRAEFIK,
    expected: ADMITS_THE_SAME,
    run: (arena: Arena) => everyByte(arena, version),
  })),
  {
    id: 'hello/every-byte-no-certificate',
    group,
    title: 'the ClientHello in two segments, without a certificate',
    attack: SPLIT,
    taughtBy: TRAEFIK,
    expected: 'not admitted',
    run: bareEveryByte,
  },
  {
    id: 'hello/over-records',
    group,
    title: 'the ClientHello over many TLS records, of 1 to 1,000 bytes each',
    attack: 'A peeker reads the first record only, finds no name and falls back.',
    taughtBy: TRAEFIK,
    expected: ADMITS_THE_SAME,
    run: (arena) =>
      withCuts(
        arena,
        [1, 3, 16, 100, 1_000].map((size) => (first: Buffer) => intoRecords(first, size)),
        {},
      ),
  },
  {
    id: 'hello/post-quantum-byte-by-byte',
    group,
    title: 'a ClientHello of more than one packet (ML-KEM), byte by byte and over records',
    attack: 'As above, with a ClientHello that no client can send in one packet.',
    taughtBy: TRAEFIK,
    expected: ADMITS_THE_SAME,
    run: (arena) =>
      withCuts(
        arena,
        [(first) => Array.from(first, (byte) => Buffer.of(byte)), (first) => intoRecords(first, 16)],
        POST_QUANTUM,
      ),
  },
  ...(
    [
      ['at-the-end', (name: string) => `${name.slice(0, -1)}\0`],
      ['inside', (name: string) => `${name.slice(0, 1)}\0${name.slice(2)}`],
      ['at-the-start', (name: string) => `\0${name.slice(1)}`],
    ] as const
  ).map(([where, rewrite]) => ({
    id: `hello/nul-${where}`,
    group,
    title: `SNI with a NUL ${where.replaceAll('-', ' ')}`,
    attack: 'One part of the program reads to the NUL, another past it: two names in one.',
    expected: 'not admitted',
    run: (arena: Arena) => withNul(arena, rewrite),
  })),
  {
    id: 'hello/garbage',
    group,
    title: 'plain HTTP, broken records and noise instead of a ClientHello',
    attack: 'What cannot be parsed takes the process down, or a path that checks nothing.',
    expected: 'that connection ends, others are served on',
    run: garbage,
  },
];
