import { Type, type Static } from 'typebox';

/**
 * The manifest of one region: everything that differs between regions, read once at start.
 * `causeway up` writes one per region of the local world; a deployment mounts it as a file.
 */
const strict = { additionalProperties: false };
const Region = Type.String({ pattern: '^[a-z][a-z0-9-]{0,30}$' });
/** Stands in document names and NATS subjects. */
const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });
const Nats = Type.Object({ url: Type.String(), user: Type.String(), password: Type.String() }, strict);

export const Manifest = Type.Object(
  {
    region: Region,
    listen: Type.Object({ host: Type.String(), port: Type.Integer({ minimum: 0, maximum: 65_535 }) }, strict),
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
          peers: Type.Array(Type.Object({ region: Region, nats: Nats }, strict)),
        },
        strict,
      ),
      { minItems: 1 },
    ),
    /** Every region of the system: where it is, and the public key that its tokens are signed with. */
    regions: Type.Array(
      Type.Object(
        {
          region: Region,
          url: Type.String(),
          zones: Type.Array(Type.String()),
          /** Ed25519, JWK. */
          publicKey: Type.Object({ kty: Type.String(), crv: Type.String(), x: Type.String() }, strict),
        },
        strict,
      ),
    ),
    /** The member of the directory that this region asks; without one the first region of each zone decides. */
    directory: Type.Optional(
      Type.Object({ nats: Nats, members: Type.Union([Type.Literal(1), Type.Literal(3)]) }, strict),
    ),
    workspaces: Type.Array(
      Type.Object(
        {
          id: Id,
          slug: Type.String(),
          name: Type.String(),
          zone: Type.String(),
          home: Region,
          /** Members who decide who else is one; nobody, when it is left out. */
          admins: Type.Optional(Type.Array(Id)),
          channels: Type.Array(Type.Object({ id: Id, slug: Type.String() }, strict)),
        },
        strict,
      ),
    ),
  },
  strict,
);

export type Manifest = Static<typeof Manifest>;

/**
 * What a schema cannot say: the first thing in which a manifest contradicts itself, as a sentence;
 * nothing when it does not. A zone that peers see differently would replicate into the wrong place.
 */
export function contradictionIn({ region, zones, regions, workspaces }: Manifest): string | undefined {
  const self = regions.find((each) => each.region === region);
  if (self === undefined) return `/regions does not list this region, ${region}`;
  for (const { zone, peers } of zones) {
    const of = regions.filter((each) => each.zones.includes(zone)).map((each) => each.region);
    const here = [region, ...peers.map((peer) => peer.region)];
    if (!sameNames(of, here))
      return `zone ${zone} is ${of.join(', ')} in /regions, but this region and its peers in /zones are ${here.join(', ')}`;
  }
  if (
    !sameNames(
      self.zones,
      zones.map(({ zone }) => zone),
    )
  )
    return `/zones and the zones of ${region} in /regions differ`;
  const placeless = workspaces.find(({ zone }) => !regions.some((each) => each.zones.includes(zone)));
  if (placeless !== undefined) return `no region is in zone ${placeless.zone}, where a workspace is kept`;
  return (
    twiceNamed(workspaces, 'workspaces') ??
    firstOf(workspaces, ({ channels }) => twiceNamed(channels, 'channels'))
  );
}

const sameNames = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && new Set([...a, ...b]).size === a.length;

/** A name that stands for two things, be it slug or id. */
function twiceNamed(items: readonly { id: string; slug: string }[], what: string): string | undefined {
  const names = items.flatMap(({ id, slug }) => (id === slug ? [id] : [id, slug]));
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  return twice === undefined ? undefined : `two ${what} go by "${twice}"`;
}

function firstOf<T>(items: readonly T[], look: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = look(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
