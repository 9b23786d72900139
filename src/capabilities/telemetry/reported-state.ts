/**
 * The newest reported value of each property of one service, with the time of each. Times are kept only where they
 * differ from `eventMs`: most devices report a service as a whole.
 */
export type ReportedState = {
  readonly serviceId: string;
  readonly values: Record<string, unknown>;
  propertyCount: number;
  eventMs: number; // the newest time of any property
  times: Map<string, number> | undefined; // older times
};

/** `timestampMs` is the time of the first report, which is merged next. */
export function emptyState(serviceId: string, timestampMs: number): ReportedState {
  // No prototype: a property may be called `__proto__` or `constructor`.
  return { serviceId, values: Object.create(null), propertyCount: 0, eventMs: timestampMs, times: undefined };
}

export function restoreState(
  serviceId: string,
  reported: string,
  eventMs: number,
  times: string | null,
): ReportedState {
  const values = Object.assign(Object.create(null), JSON.parse(reported)) as Record<string, unknown>;
  const older = times === null ? undefined : new Map(Object.entries(JSON.parse(times) as Record<string, number>));
  return { serviceId, values, propertyCount: Object.keys(values).length, eventMs, times: older };
}

/** Changes `state` in place: a value replaces one of the same time or older, never a newer one. */
export function mergeReport(state: ReportedState, data: Readonly<Record<string, unknown>>, timestampMs: number): void {
  if (timestampMs < state.eventMs) {
    mergeLateReport(state, data, timestampMs);
    return;
  }
  const { values } = state;
  let reported = 0;
  for (const name in data) {
    if (!(name in values)) state.propertyCount++;
    values[name] = data[name];
    reported++;
  }
  if (reported === state.propertyCount) state.times = undefined;
  else if (timestampMs !== state.eventMs || state.times) keepOlderTimes(state, data);
  state.eventMs = timestampMs;
}

/** What this report did not mention keeps the time it had. */
function keepOlderTimes(state: ReportedState, data: Readonly<Record<string, unknown>>): void {
  const times = state.times ?? new Map<string, number>();
  for (const name in state.values) {
    if (Object.hasOwn(data, name)) times.delete(name);
    else if (!times.has(name)) times.set(name, state.eventMs);
  }
  state.times = times;
}

function mergeLateReport(state: ReportedState, data: Readonly<Record<string, unknown>>, timestampMs: number): void {
  for (const name in data) {
    const isNew = !(name in state.values);
    if (!isNew && timestampMs < (state.times?.get(name) ?? state.eventMs)) continue;
    if (isNew) state.propertyCount++;
    state.values[name] = data[name];
    state.times ??= new Map();
    state.times.set(name, timestampMs);
  }
}

export const renderTimes = ({ times }: ReportedState): string | null =>
  times === undefined || times.size === 0 ? null : JSON.stringify(Object.fromEntries(times));
