/**
 * Counters, gauges and histograms, rendered as Prometheus text (exposition format 0.0.4).
 * Hot paths take the labelled child once (`counter.with({...})`) and call `add` on it: no look-up per event.
 */
export type Labels = Readonly<Record<string, string>>;
export interface CounterChild {
  add(amount?: number): void;
}
export interface Counter extends CounterChild {
  with(labels: Labels): CounterChild;
}
export interface Histogram {
  observe(value: number): void;
}
export interface Metrics {
  counter(name: string, help: string): Counter;
  /** `read` is called at each scrape; an array gives one sample per label set. */
  gauge(name: string, help: string, read: () => number | { labels: Labels; value: number }[]): void;
  histogram(name: string, help: string, bounds: readonly number[]): Histogram;
  render(): string;
}

export function createMetrics(): Metrics {
  const families = new Map<string, () => string[]>();
  const header = (name: string, help: string, type: string) => [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];

  function register(name: string, lines: () => string[]): void {
    if (families.has(name)) throw new Error(`metric ${name} is registered twice`);
    families.set(name, lines);
  }

  return {
    counter(name, help) {
      const children = new Map<string, { value: number }>();
      const child = (labels: Labels): CounterChild => {
        const key = renderLabels(labels);
        const cell = children.get(key) ?? { value: 0 };
        children.set(key, cell);
        return {
          add(amount = 1) {
            cell.value += amount;
          },
        };
      };
      let bare: CounterChild | undefined;
      register(name, () => [
        ...header(name, help, "counter"),
        ...[...children].map(([key, { value }]) => `${name}${key} ${value}`),
      ]);
      return {
        with: child,
        add(amount) {
          bare ??= child({});
          bare.add(amount);
        },
      };
    },

    gauge(name, help, read) {
      register(name, () => {
        const value = read();
        const samples = typeof value === "number" ? [{ labels: {}, value }] : value;
        return [
          ...header(name, help, "gauge"),
          ...samples.map((sample) => `${name}${renderLabels(sample.labels)} ${sample.value}`),
        ];
      });
    },

    histogram(name, help, bounds) {
      const counts = new Array<number>(bounds.length + 1).fill(0);
      let sum = 0;
      register(name, () => {
        let cumulative = 0;
        const buckets = counts.map((count, index) => {
          cumulative += count;
          return `${name}_bucket{le="${bounds[index] ?? "+Inf"}"} ${cumulative}`;
        });
        return [...header(name, help, "histogram"), ...buckets, `${name}_sum ${sum}`, `${name}_count ${cumulative}`];
      });
      return {
        observe(value) {
          let index = 0;
          while (index < bounds.length && value > (bounds[index] as number)) index++;
          counts[index] = (counts[index] as number) + 1;
          sum += value;
        },
      };
    },

    render: () => `${[...families.values()].flatMap((lines) => lines()).join("\n")}\n`,
  };
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${value.replace(/["\\\n]/g, "_")}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
