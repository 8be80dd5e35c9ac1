import { constants } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';

/**
 * What every TLS context of this server shares.
 *
 * Resumption is off. A session made under one account, one CA bundle or before a removal must never be honoured under
 * another: with tickets, Node reports a resumed client as authorized without looking at its certificate again, even
 * across the names of one listener. The option counts on the *listener's* context; contexts chosen by SNI inherit it.
 * It is the faster choice too: no ticket is made for clients that stay connected for hours.
 */
export const SHARED_TLS_OPTIONS = {
  secureOptions:
    constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_CIPHER_SERVER_PREFERENCE,
  ciphers: [
    'TLS_AES_128_GCM_SHA256',
    'TLS_AES_256_GCM_SHA384',
    'TLS_CHACHA20_POLY1305_SHA256',
    'ECDHE-ECDSA-AES128-GCM-SHA256',
    'ECDHE-RSA-AES128-GCM-SHA256',
    'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384',
  ].join(':'),
} satisfies SecureContextOptions;

/** Longest time a TLS handshake may take, in milliseconds: a delegate on a bad line needs seconds, a slow attacker wants minutes. */
export const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Connections waiting in the kernel: 5,000 delegates reconnecting at once overrun Node's default of 511. */
export const LISTEN_BACKLOG = 4096;
