import { type CertificateFacts, Purpose } from './certificate-facts.ts';
import { findMissingIntermediate, mayHaveIssued, sameName, sentPath } from './issuer-evidence.ts';
import { purposeName } from './oid-names.ts';
import type { RefusalReason } from './reasons.ts';
import { listSubjects, quoteIssuer, quoteSubject, shorten, wordDate, wordDuration } from './wording.ts';

export interface Explanation {
  readonly reason: RefusalReason;
  readonly message: string;
  readonly remedy: string;
}

export interface RejectedCertificate {
  /** Node's `authorizationError`: the name of OpenSSL's error, null when there is none. */
  readonly errorCode: string | null;
  readonly leaf: CertificateFacts;
  readonly chainSent: readonly CertificateFacts[];
  readonly authorities: readonly CertificateFacts[];
  readonly knownIntermediates: readonly CertificateFacts[];
  readonly now: Date;
}

/**
 * Why OpenSSL refused a client certificate, in words. Node hands over the last error of the verification only, so the
 * certificates' own facts say the rest. Never admits: every path leads to a refusal.
 */
export function explainRejection(rejected: RejectedCertificate): Explanation {
  switch (rejected.errorCode) {
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return explainDates(rejected, rejected.errorCode);
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'CERT_SIGNATURE_FAILURE':
    case 'CERT_UNTRUSTED':
      return explainIssuer(rejected);
    case 'INVALID_PURPOSE':
    case 'INVALID_CA':
      return explainPurpose(rejected);
    default:
      return explainOther(rejected);
  }
}

export function explainLeafDates(
  leaf: CertificateFacts,
  authorities: readonly CertificateFacts[],
  now: Date,
): Explanation | null {
  // Negated on purpose: an unreadable date compares false and must refuse. OpenSSL, too, takes the last second as expired.
  if (!(now >= leaf.notBefore)) {
    const wait = wordDuration(leaf.notBefore.getTime() - now.getTime());
    return {
      reason: 'CLIENT_CERTIFICATE_NOT_YET_VALID',
      message: `The client certificate ${quoteSubject(leaf)} becomes valid in ${wait} (at ${wordDate(leaf.notBefore)}).`,
      remedy:
        'If it was just made, a clock is behind: set the clocks of the machine that made it and of this server by NTP. Otherwise wait, or issue it with an earlier start.',
    };
  }
  if (now < leaf.notAfter) return null;
  const ago = wordDuration(now.getTime() - leaf.notAfter.getTime());
  return {
    reason: 'CLIENT_CERTIFICATE_EXPIRED',
    message: `The client certificate ${quoteSubject(leaf)} expired ${ago} ago (at ${wordDate(leaf.notAfter)}).`,
    remedy: `Issue a new client certificate from a CA that the endpoint trusts (${listSubjects(authorities)}) and replace client.crt and client.key.`,
  };
}

function explainDates(
  rejected: RejectedCertificate,
  errorCode: 'CERT_HAS_EXPIRED' | 'CERT_NOT_YET_VALID',
): Explanation {
  const { leaf, chainSent, authorities, now } = rejected;
  const own = explainLeafDates(leaf, authorities, now);
  if (own !== null) return own;
  const expired = errorCode === 'CERT_HAS_EXPIRED';
  const reason = expired ? 'CLIENT_CERTIFICATE_EXPIRED' : 'CLIENT_CERTIFICATE_NOT_YET_VALID';
  const outside = (ca: CertificateFacts) => (expired ? now >= ca.notAfter : now < ca.notBefore);
  const path = sentPath(leaf, chainSent);
  const culprit =
    path.slice(1).find(outside) ??
    authorities.find((ca) => outside(ca) && path.some((below) => mayHaveIssued(ca, below)));
  if (culprit === undefined) {
    return {
      reason,
      message: `A CA certificate above the client certificate ${quoteSubject(leaf)} ${expired ? 'has expired' : 'is not valid yet'} (${errorCode}).`,
      remedy: `Check the dates of ${quoteIssuer(leaf)} and of the CAs above it, and replace the one that is out of date.`,
    };
  }
  const inBundle = authorities.some(({ fingerprint256 }) => fingerprint256 === culprit.fingerprint256);
  const when = expired
    ? `expired ${wordDuration(now.getTime() - culprit.notAfter.getTime())} ago (at ${wordDate(culprit.notAfter)})`
    : `becomes valid in ${wordDuration(culprit.notBefore.getTime() - now.getTime())} (at ${wordDate(culprit.notBefore)})`;
  return {
    reason,
    message: `The CA certificate ${quoteSubject(culprit)} above the client certificate ${quoteSubject(leaf)} ${when}; the client certificate itself is in date.`,
    remedy: inBundle
      ? `Put a CA certificate that is in date in the place of ${quoteSubject(culprit)} in the endpoint's CA bundle.`
      : `Put an intermediate that is in date in the place of ${quoteSubject(culprit)} in client.crt.`,
  };
}

function explainIssuer({
  leaf,
  chainSent,
  authorities,
  knownIntermediates,
  errorCode,
}: RejectedCertificate): Explanation {
  const reason = 'UNKNOWN_ISSUER';
  const trusted = authorities.length === 0 ? 'no CA at all' : listSubjects(authorities);
  if (leaf.selfSigned) {
    return {
      reason,
      message: `The client certificate ${quoteSubject(leaf)} is self-signed; the endpoint trusts ${trusted}.`,
      remedy: 'Have one of these CAs sign a client certificate, and present that one.',
    };
  }
  const path = sentPath(leaf, chainSent);
  const top = path.at(-1) ?? leaf;
  const namesake = authorities.find((ca) => path.some((below) => sameName(ca.subject, below.issuer)));
  if (namesake !== undefined) {
    return {
      reason,
      message: `The client certificate ${quoteSubject(leaf)} names ${quoteSubject(namesake)}, which the endpoint trusts, but that CA's key did not sign it (${errorCode}): the CA was made anew under the same name, or a certificate is damaged.`,
      remedy: `Add the CA certificate that signed it to the endpoint's CA bundle, or issue the client certificate anew from ${quoteSubject(namesake)} with SHA-256 fingerprint ${namesake.fingerprint256}.`,
    };
  }
  if (top.selfSigned) {
    return {
      reason,
      message: `The client certificate ${quoteSubject(leaf)} leads to the root ${quoteSubject(top)}, which the client sent; the endpoint trusts ${trusted}.`,
      remedy: `Add the CA ${quoteSubject(top)} to the endpoint's CA bundle, or present a certificate from a CA that it trusts.`,
    };
  }
  const missing = findMissingIntermediate(top, authorities, knownIntermediates);
  if (missing !== null) {
    const verb = missing.certain ? 'is' : 'is probably';
    return {
      reason: 'INTERMEDIATE_MISSING',
      message: `The client certificate ${quoteSubject(leaf)} needs the intermediate ${quoteIssuer(top)}, which ${verb} issued by ${quoteSubject(missing.authority)} of the endpoint's CA bundle, and the client did not send it.`,
      remedy: `Append the certificate of ${quoteIssuer(top)} to client.crt, below the client's own certificate${missing.certain ? '' : `; if it is a CA of its own, add it to the endpoint's CA bundle instead`}.`,
    };
  }
  return {
    reason,
    message: `The client certificate ${quoteSubject(leaf)} was issued by ${quoteIssuer(top)}${top === leaf ? '' : ' above the chain it sent'}; the endpoint trusts ${trusted}.`,
    remedy: `Add the CA ${quoteIssuer(top)} to the endpoint's CA bundle; or, if it is an intermediate of a CA there, append its certificate to client.crt.`,
  };
}

function explainPurpose({ errorCode, leaf, chainSent, authorities }: RejectedCertificate): Explanation {
  const reason = 'WRONG_PURPOSE';
  if (leaf.purposes !== null && !leaf.purposes.includes(Purpose.CLIENT_AUTH)) {
    const allowed = leaf.purposes.map(purposeName).join(', ');
    return {
      reason,
      message: `The client certificate ${quoteSubject(leaf)} is for ${allowed}, not for TLS clients (no clientAuth in its extended key usage).`,
      remedy: 'Issue a client certificate with extendedKeyUsage = clientAuth.',
    };
  }
  if (leaf.keyUsage !== null && !leaf.keyUsage.some((use) => use === 'digitalSignature' || use === 'keyAgreement')) {
    return {
      reason,
      message: `The client certificate ${quoteSubject(leaf)} allows its key only ${leaf.keyUsage.join(', ')}, and a TLS client must sign.`,
      remedy: 'Issue a client certificate with keyUsage = digitalSignature.',
    };
  }
  const noCa = explainIssuerWithoutCaFlag({ leaf, chainSent, authorities });
  if (noCa !== null) return noCa;
  const path = sentPath(leaf, chainSent);
  const above = [...path.slice(1), ...authorities.filter((ca) => path.some((below) => mayHaveIssued(ca, below)))];
  const narrow = above.find(({ purposes }) => purposes !== null && !purposes.includes(Purpose.CLIENT_AUTH));
  if (narrow !== undefined) {
    return {
      reason,
      message: `The CA ${quoteSubject(narrow)} above the client certificate ${quoteSubject(leaf)} may not issue for TLS clients (no clientAuth in its extended key usage).`,
      remedy: 'Use a CA without an extended key usage, or with clientAuth in it.',
    };
  }
  return {
    reason,
    message: `The client certificate ${quoteSubject(leaf)}, or a CA above it, is not meant for TLS clients (${errorCode}).`,
    remedy: `Issue a client certificate with extendedKeyUsage = clientAuth from a CA that the endpoint trusts (${listSubjects(authorities)}).`,
  };
}

/** A delegate can sign with the key of its own certificate: that must never make another delegate. */
function explainIssuerWithoutCaFlag(
  rejected: Pick<RejectedCertificate, 'leaf' | 'chainSent' | 'authorities'>,
): Explanation | null {
  const { leaf, chainSent, authorities } = rejected;
  const noCa = sentPath(leaf, chainSent)
    .slice(1)
    .find(({ isCa }) => !isCa);
  if (noCa === undefined) return null;
  return {
    reason: 'WRONG_PURPOSE',
    message: `The client certificate ${quoteSubject(leaf)} was issued by ${quoteSubject(noCa)}, which is not a CA certificate.`,
    remedy: `Have a CA that the endpoint trusts (${listSubjects(authorities)}) issue the client certificate.`,
  };
}

function explainOther({ errorCode, leaf, chainSent, authorities }: RejectedCertificate): Explanation {
  // An issuer whose key usage lacks keyCertSign has a code that Node calls UNSPECIFIED.
  const noCa = explainIssuerWithoutCaFlag({ leaf, chainSent, authorities });
  if (noCa !== null) return noCa;
  const reason = 'CLIENT_CERTIFICATE_REJECTED';
  const refused = `OpenSSL refused the client certificate ${quoteSubject(leaf)}`;
  if (errorCode === 'PATH_LENGTH_EXCEEDED') {
    return {
      reason,
      message: `${refused}: more intermediates lie below a CA than its path length allows (PATH_LENGTH_EXCEEDED).`,
      remedy: 'Issue the client certificate directly from that CA, or raise its pathLenConstraint.',
    };
  }
  const path = sentPath(leaf, chainSent);
  const concerned = [...path, ...authorities.filter((ca) => path.some((below) => mayHaveIssued(ca, below)))];
  for (const certificate of concerned) {
    const flaw = flawOf(certificate);
    if (flaw === null) continue;
    return {
      reason,
      message: `${refused} (${errorCode ?? 'no code'}): ${quoteSubject(certificate)} has ${flaw.has}.`,
      remedy: `Issue ${quoteSubject(certificate)} anew ${flaw.mend}.`,
    };
  }
  const constrained = concerned.find(({ hasNameConstraints, isCa }) => hasNameConstraints && isCa);
  if (constrained !== undefined) {
    const names = leaf.sans.map(({ type, value }) => `${type}:${value}`).slice(0, 3);
    const which = names.length === 0 ? 'names in its subject' : `its names (${shorten(names.join(', '))})`;
    return {
      reason,
      message: `${refused} (${errorCode ?? 'no code'}): ${quoteSubject(constrained)} above it has name constraints, and most likely ${which} are not within them.`,
      remedy: `Issue the client certificate with a name that ${quoteSubject(constrained)} may issue for ("openssl x509 -text" shows which), or from a CA without name constraints.`,
    };
  }
  return {
    reason,
    message: `${refused} (${errorCode ?? 'no code'}).`,
    remedy:
      'Look at the certificate and its CAs for name constraints, policies and damaged extensions, and issue it anew.',
  };
}

function flawOf(certificate: CertificateFacts): { readonly has: string; readonly mend: string } | null {
  const [unknown] = certificate.unknownCriticalExtensions;
  if (unknown !== undefined) {
    return { has: `a critical extension that OpenSSL does not know (${unknown})`, mend: 'without that extension' };
  }
  const rsa = /^RSA(?:-PSS)? (\d+)$/.exec(certificate.keyAlgorithm);
  if (rsa !== null && Number(rsa[1]) < 2048) {
    return { has: `a key that is too short (${certificate.keyAlgorithm})`, mend: 'with a key of RSA 2048 or P-256' };
  }
  if (!certificate.selfSigned && /SHA-1$|MD\d$/.test(certificate.signatureAlgorithm)) {
    return { has: `a signature that is too weak (${certificate.signatureAlgorithm})`, mend: 'with SHA-256' };
  }
  return null;
}
