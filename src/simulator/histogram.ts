const SUB_BITS = 7; // 128 steps for each power of two: an error under 1 %
const STEPS = 1 << SUB_BITS;
const LARGEST = 2 ** 31 - 1;

export type Histogram = ReturnType<typeof createHistogram>;

/** Counts whole numbers (say, microseconds) in buckets that grow with the value, in constant memory. No look at a clock. */
export function createHistogram() {
  const counts = new Float64Array(bucketOf(LARGEST) + 1);
  let count = 0;
  let sum = 0;
  let max = 0;

  return {
    record(value: number): void {
      const whole = value < 0 ? 0 : value > LARGEST ? LARGEST : Math.round(value);
      (counts[bucketOf(whole)] as number)++;
      count++;
      sum += whole;
      if (whole > max) max = whole;
    },
    get count(): number {
      return count;
    },
    get max(): number {
      return max;
    },
    get mean(): number {
      return count === 0 ? 0 : sum / count;
    },
    /** The value that `share` (0 to 1) of all do not exceed, at most 1 % too big; 0 when there are none. */
    quantile(share: number): number {
      const wanted = Math.max(1, Math.ceil(share * count));
      let seen = 0;
      for (let bucket = 0; bucket < counts.length; bucket++) {
        seen += counts[bucket] as number;
        if (seen >= wanted) return Math.min(highestOf(bucket), max);
      }
      return max;
    },
    clear(): void {
      counts.fill(0);
      count = 0;
      sum = 0;
      max = 0;
    },
  };
}

/** Under 256 a bucket is a value; above, the highest eight bits and their place decide. */
function bucketOf(value: number): number {
  const shift = Math.max(0, 31 - Math.clz32(value) - SUB_BITS);
  return shift * STEPS + (value >>> shift);
}

function highestOf(bucket: number): number {
  if (bucket < 2 * STEPS) return bucket;
  const shift = Math.floor(bucket / STEPS) - 1;
  return (bucket - shift * STEPS + 1) * 2 ** shift - 1;
}
