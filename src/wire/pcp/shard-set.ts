/** Which shards of a package are there. Immutable, and as large as its gaps are many, whatever total is claimed. */
export type ShardSet = {
  /** Indices from `from` up to, without, `to`; in order, and with a gap between any two. */
  readonly ranges: readonly { readonly from: number; readonly to: number }[];
};

export const NO_SHARDS: ShardSet = { ranges: [] };

export const hasShard = ({ ranges }: ShardSet, index: number): boolean =>
  ranges.some(({ from, to }) => from <= index && index < to);

export const countShards = ({ ranges }: ShardSet): number => ranges.reduce((sum, { from, to }) => sum + to - from, 0);

/** The same set when it has the shard already. Throws RangeError for what is no index. */
export function addShard(set: ShardSet, index: number): ShardSet {
  if (!Number.isInteger(index) || index < 0) throw new RangeError(`${index} is no shard index`);
  const { ranges } = set;
  const at = ranges.findIndex(({ to }) => index <= to); // the first that it is in, touches, or lies before
  if (at < 0) return { ranges: [...ranges, { from: index, to: index + 1 }] };
  const found = ranges[at] as ShardSet["ranges"][number];
  if (found.from <= index && index < found.to) return set;
  const isBehind = index === found.to;
  const next = isBehind ? ranges[at + 1] : found;
  const touchesNext = next?.from === index + 1;
  const merged = {
    from: isBehind ? found.from : index,
    to: touchesNext ? (next as typeof found).to : index + 1,
  };
  const replaced = (isBehind ? 1 : 0) + (touchesNext ? 1 : 0);
  return { ranges: ranges.toSpliced(at, replaced, merged) };
}

/** Undefined when all are there. */
export function firstMissing({ ranges }: ShardSet, total: number): number | undefined {
  const first = ranges[0]?.from === 0 ? ranges[0].to : 0;
  return first < total ? first : undefined;
}

/** At most `limit` of them, in order. */
export function missingShards(set: ShardSet, total: number, limit: number): number[] {
  const missing: number[] = [];
  let index = 0;
  for (const { from, to } of [...set.ranges, { from: total, to: total }]) {
    for (; index < from && index < total && missing.length < limit; index++) missing.push(index);
    index = to;
  }
  return missing;
}
