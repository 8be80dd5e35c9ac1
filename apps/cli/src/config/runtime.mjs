// How the pinned Node is started, by the command and by whatever measures it. Plain JavaScript: see ../../bin/sallyport.mjs.
import { fileURLToPath } from 'node:url';

/** Node's own options. */
export const nodeOptions = [
  '--disable-warning=ExperimentalWarning',
  // Under a flood V8 would let short-lived objects take over 100 MiB before it collects them; this costs no CPU that shows.
  '--max-semi-space-size=16',
];

/** Node's own options of a process that holds many connections. A configuration of OpenSSL that was asked for stays in force. */
export function serverOptions() {
  const config = fileURLToPath(new URL('openssl.cnf', import.meta.url));
  return [
    ...nodeOptions,
    // A handshake runs through much of Node's 40 MiB of code once. In large pages, where the kernel has them, that takes a
    // twentieth less CPU, for 40 MiB of memory and a tenth of a second at the start.
    '--use-largepages=silent',
    ...(process.env.OPENSSL_CONF ? [] : [`--openssl-config=${config}`]),
  ];
}

/**
 * The environment of a process that holds many connections: this one's, and before it two settings for glibc's allocator.
 *
 * Node reads every TLS connection into a buffer of 64 KiB, of which a handshake fills two pages. On glibc's heap those
 * buffers come to lie where others have been, and every page of them is resident: 30 KiB a connection. Mapped on its own,
 * a buffer costs what is used of it. A process may have 65,530 mappings, and V8 needs some: half are left to it; more
 * connections than that get their buffers from the heap. Other C libraries ignore both names.
 */
export function serverEnvironment() {
  return { MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_MMAP_MAX_: '32768', ...process.env };
}
