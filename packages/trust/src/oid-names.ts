import { Purpose } from './certificate-facts.ts';

const purposes: Readonly<Record<string, string>> = {
  [Purpose.SERVER_AUTH]: 'serverAuth',
  [Purpose.CLIENT_AUTH]: 'clientAuth',
  [Purpose.ANY]: 'anyExtendedKeyUsage',
  '1.3.6.1.5.5.7.3.3': 'codeSigning',
  '1.3.6.1.5.5.7.3.4': 'emailProtection',
  '1.3.6.1.5.5.7.3.8': 'timeStamping',
  '1.3.6.1.5.5.7.3.9': 'OCSPSigning',
  '1.3.6.1.5.5.7.3.17': 'ipsecIKE',
  '1.3.6.1.4.1.311.20.2.2': 'smart card logon',
};

const extensions: Readonly<Record<string, string>> = {
  '2.5.29.14': 'subjectKeyIdentifier',
  '2.5.29.15': 'keyUsage',
  '2.5.29.17': 'subjectAltName',
  '2.5.29.18': 'issuerAltName',
  '2.5.29.19': 'basicConstraints',
  '2.5.29.30': 'nameConstraints',
  '2.5.29.31': 'cRLDistributionPoints',
  '2.5.29.32': 'certificatePolicies',
  '2.5.29.33': 'policyMappings',
  '2.5.29.35': 'authorityKeyIdentifier',
  '2.5.29.36': 'policyConstraints',
  '2.5.29.37': 'extendedKeyUsage',
  '2.5.29.54': 'inhibitAnyPolicy',
  '1.3.6.1.5.5.7.1.1': 'authorityInfoAccess',
  '1.3.6.1.5.5.7.1.24': 'tlsFeature',
  '2.16.840.1.113730.1.1': 'netscapeCertType',
  '2.16.840.1.113730.1.13': 'netscapeComment',
  '1.3.6.1.4.1.311.20.2': 'Microsoft certificate template',
  '1.3.6.1.4.1.311.21.7': 'Microsoft certificate template',
};

/** `clientAuth` and its like; the dotted OID of a purpose that has no name here. */
export const purposeName = (oid: string): string => purposes[oid] ?? oid;

/** `basicConstraints (2.5.29.19)`; an extension that has no name here is said to be unknown. */
export const extensionName = (oid: string): string => `${extensions[oid] ?? 'unknown'} (${oid})`;
