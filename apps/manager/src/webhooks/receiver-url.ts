import { isIP } from 'node:net';
import { SallyportError } from '@sallyport/protocol';
import { isAllowed, type ReceiverRules } from './receiver-address.ts';

const MOST_CHARACTERS = 2048;

/**
 * The URL of a new webhook in its canonical form. Its host is not looked up: names are judged by their addresses at
 * every connection, since they can change. Throws INVALID_REQUEST.
 */
export function readReceiverUrl(text: string, rules: ReceiverRules): URL {
  // URL() drops line feeds and tabs, and turns other characters into escapes: what is stored is what was sent, or nothing.
  if (text.length > MOST_CHARACTERS || /[^\x21-\x7e]|["<>\\^`{|}]/.test(text) || !URL.canParse(text)) {
    throw invalid('is not a URL such as https://receiver.example.com/hooks.');
  }
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    throw invalid('holds a user name or a password, which everybody who lists webhooks would see.', SIGNED);
  }
  if (url.hash !== '') throw invalid('has a fragment (#...), which is never sent.');
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && rules.loopbackHttp)) {
    throw invalid(`begins with ${url.protocol}//, and webhooks are sent by https only.`, HTTPS);
  }
  const address = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol === 'http:' && isIP(address) === 0 && !/(^|\.)localhost$/.test(address)) {
    throw invalid('begins with http://, which is for receivers on loopback only.');
  }
  if (isIP(address) !== 0 && !isAllowed(address, url.protocol, rules)) {
    throw invalid(`names the address ${address}, which webhooks may not connect to.`, REACHABLE);
  }
  return url;
}

const HTTPS = 'Use https, or on loopback ask the operator to allow http (SALLYPORT_WEBHOOK_LOOPBACK_HTTP).';
const SIGNED = 'Leave it out: the receiver knows us by the signature.';
const REACHABLE =
  'Use a public address, or ask the operator to allow private ones (SALLYPORT_WEBHOOK_PRIVATE_ADDRESSES).';

function invalid(what: string, remedy?: string): SallyportError {
  return new SallyportError('INVALID_REQUEST', `The webhook's url ${what}`, remedy === undefined ? {} : { remedy });
}
