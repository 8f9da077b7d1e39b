import { Type, type Static } from 'typebox';

/**
 * The manifest of one region: everything that differs between regions, read once at start.
 * `causeway up` writes one per region of the local world; a deployment mounts it as a file.
 */
const strict = { additionalProperties: false };
const Nats = Type.Object({ url: Type.String(), user: Type.String(), password: Type.String() }, strict);

export const Manifest = Type.Object(
  {
    region: Type.String({ pattern: '^[a-z][a-z0-9-]{0,30}$' }),
    listen: Type.Object({ host: Type.String(), port: Type.Integer() }, strict),
    /** Where clients reach this region, e.g. http://127.0.0.1:4101. */
    url: Type.String(),
    /** Origins of pages that may call this region from a browser. */
    webOrigins: Type.Array(Type.String()),
    postgres: Type.String(),
    zones: Type.Array(
      Type.Object(
        {
          zone: Type.String(),
          /** This region's own broker, with the credentials of the zone's account. */
          nats: Nats,
          /** The other regions of the zone, each with the credentials to read from it. */
          peers: Type.Array(Type.Object({ region: Type.String(), nats: Nats }, strict)),
        },
        strict,
      ),
      { minItems: 1 },
    ),
    /** Every region of the system: where it is, and the public key that its tokens are signed with. */
    regions: Type.Array(
      Type.Object(
        {
          region: Type.String(),
          url: Type.String(),
          zones: Type.Array(Type.String()),
          /** Ed25519, JWK. */
          publicKey: Type.Object({ kty: Type.String(), crv: Type.String(), x: Type.String() }, strict),
        },
        strict,
      ),
    ),
    workspaces: Type.Array(
      Type.Object(
        {
          id: Type.String(),
          slug: Type.String(),
          name: Type.String(),
          zone: Type.String(),
          home: Type.String(),
          channels: Type.Array(Type.Object({ id: Type.String(), slug: Type.String() }, strict)),
        },
        strict,
      ),
    ),
  },
  strict,
);

export type Manifest = Static<typeof Manifest>;
