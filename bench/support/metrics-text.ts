/** Reads what `/metrics` says (Prometheus text). */
export type Buckets = readonly { readonly upTo: number; readonly count: number }[];

/** The sum of all samples of a name whose labels contain `labels`; 0 when there are none. */
export function sumOf(text: string, name: string, labels = ""): number {
  let sum = 0;
  for (const line of text.split("\n"))
    if ((line.startsWith(`${name}{`) || line.startsWith(`${name} `)) && line.includes(labels))
      sum += Number(line.slice(line.lastIndexOf(" ") + 1));
  return sum;
}

export const bucketsOf = (text: string, name: string): Buckets =>
  [...text.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\S+)$`, "gm"))].map(([, upTo, count]) => ({
    upTo: upTo === "+Inf" ? Number.POSITIVE_INFINITY : Number(upTo),
    count: Number(count),
  }));

/** The value that `share` of what was observed between two scrapes does not exceed, straight lines within a bucket. */
export function quantileBetween(before: Buckets, after: Buckets, share: number): number {
  const cumulative = after.map(({ upTo, count }, index) => ({ upTo, count: count - (before[index]?.count ?? 0) }));
  const wanted = share * (cumulative.at(-1)?.count ?? 0);
  let below = { upTo: 0, count: 0 };
  for (const bucket of cumulative) {
    if (bucket.count >= wanted && bucket.count > below.count) {
      if (bucket.upTo === Number.POSITIVE_INFINITY) return below.upTo;
      return below.upTo + ((wanted - below.count) / (bucket.count - below.count)) * (bucket.upTo - below.upTo);
    }
    below = bucket;
  }
  return 0;
}
