import { type Static, Type } from 'typebox';
import { PresentedCertificate } from './refusals.ts';

/** A client certificate that the endpoint has verified and a delegate has registered with. */
export const ClientCertificate = Type.Object({
  ...PresentedCertificate.properties,
  /** Whole days until its end; negative when that is past. */
  daysLeft: Type.Integer(),
  /** Whose last way in over mTLS was with it, by name. Empty once they have all come with another one. */
  delegates: Type.Array(Type.Object({ name: Type.String(), connected: Type.Boolean(), lastSeen: Type.Integer() })),
  firstSeen: Type.Integer(),
  lastSeen: Type.Integer(),
  /** The CA of the bundle that its chain ended at; null when that could not be told. */
  authority: Type.Union([
    Type.Object({
      fingerprint: Type.String(),
      /** Null when the bundle no longer has it. */
      subject: Type.Union([Type.String(), Type.Null()]),
    }),
    Type.Null(),
  ]),
});
export type ClientCertificate = Static<typeof ClientCertificate>;
