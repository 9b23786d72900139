/** How a simulated device behaves when it is upgraded: one table of names, and a form for every result code. */

/** The steps of an upgrade, in order. `query`: asked for the version; `result`: from the end of the installation on. */
export const UPGRADE_POINTS = ["query", "notice", "download", "execute", "result"] as const;
export type UpgradePoint = (typeof UPGRADE_POINTS)[number];

export type Radio = {
  /** Undefined: the device does not tell it. */
  readonly cellId: number | undefined;
  readonly rsrpDbm: number | undefined;
  readonly sinrDb: number | undefined;
};

/** What the device says instead of success, in the codes of each way to upgrade; one that is left out goes well. */
export type UpgradeFailure = {
  /** pcp.md §5: in the message of this point. */
  readonly pcp?: { readonly at: UpgradePoint; readonly code: number };
  /** `/5/0/5` (ota.md 8.1). */
  readonly object5?: number;
  /** `result_code` (ota.md 8.3). */
  readonly mqtt?: number;
};

export type UpgradeBehaviour = {
  /** Takes `slowPaceMs` between two pieces. */
  readonly isSlow: boolean;
  readonly failure: UpgradeFailure;
  /** Says nothing at this point of an upgrade, and does not go on from there. */
  readonly silentAt: UpgradePoint | undefined;
  /** Loses its power when half of the package is there, or when half of the installation is done. */
  readonly rebootsAt: "download" | "result" | undefined;
  /** Says that it went well, and runs its old version. */
  readonly lies: boolean;
  /** Never ends to install. */
  readonly isStuck: boolean;
  /** Tells nothing by itself, and all when it is asked. */
  readonly forgets: boolean;
  /** Object 5: another package is taken only after a reset by an empty URI. */
  readonly isStrict: boolean;
  readonly radio: Radio;
};

const GOOD_RADIO: Radio = { cellId: 26_817, rsrpDbm: -92, sinrDb: 12 };
const GOOD: UpgradeBehaviour = {
  isSlow: false,
  failure: {},
  silentAt: undefined,
  rebootsAt: undefined,
  lies: false,
  isStuck: false,
  forgets: false,
  isStrict: false,
  radio: GOOD_RADIO,
};

const fails = (at: UpgradePoint, pcp: number, object5: number, mqtt: number): Partial<UpgradeBehaviour> => ({
  failure: { pcp: { at, code: pcp }, object5, mqtt },
});

type Row = { readonly about: string; readonly is: Partial<UpgradeBehaviour> };

/** Object 5 knows fewer reasons: what it has no number for is a failed update (8). */
const ROWS = {
  good: { about: "all goes well", is: {} },
  slow: { about: "a pause between two pieces", is: { isSlow: true } },
  "wrong-crc": { about: "the package fails its check", is: fails("download", 0x07, 5, 7) },
  "low-battery": { about: "the battery is low", is: fails("notice", 0x04, 8, 4) },
  "no-storage": { about: "the package does not fit", is: fails("notice", 0x05, 2, 5) },
  "no-memory": { about: "the memory does not suffice", is: fails("notice", 0x09, 3, 9) },
  "in-use": { about: "the device is in use", is: fails("notice", 0x01, 8, 1) },
  "poor-signal": {
    about: "refused because of the signal, which is poor indeed",
    is: { ...fails("notice", 0x02, 4, 2), radio: { ...GOOD_RADIO, rsrpDbm: -124, sinrDb: -7 } },
  },
  latest: { about: "says that it is up to date", is: fails("notice", 0x03, 8, 3) },
  internal: { about: "something in the device breaks", is: fails("notice", 0x7f, 8, 255) },
  "download-timeout": { about: "gives up half-way through the download", is: fails("download", 0x06, 4, 6) },
  "bad-package": { about: "the package is of no type it knows", is: fails("download", 0x08, 6, 8) },
  "bad-uri": { about: "object 5 only: the URI is of no use", is: { failure: { object5: 7 } } },
  "bad-protocol": { about: "object 5 only: the protocol is not supported", is: { failure: { object5: 9 } } },
  "install-fails": { about: "the package cannot be installed", is: fails("result", 0x0a, 8, 10) },
  reboots: { about: "loses its power half-way through the download", is: { rebootsAt: "download" } },
  "reboots-installing": { about: "loses its power while it installs", is: { rebootsAt: "result" } },
  lies: { about: "says it went well, and runs the old version", is: { lies: true } },
  stuck: { about: "never ends to install", is: { isStuck: true } },
  forgets: { about: "tells nothing by itself", is: { forgets: true } },
  strict: { about: "object 5: wants a reset before another package", is: { isStrict: true } },
  silent: { about: "never answers", is: { silentAt: "query" } },
  "silent-notice": { about: "does not answer to the notice", is: { silentAt: "notice" } },
  "silent-download": { about: "falls silent half-way through the download", is: { silentAt: "download" } },
  "silent-execute": { about: "does not answer to the order to install", is: { silentAt: "execute" } },
  "silent-result": { about: "installs, and is never heard again", is: { silentAt: "result" } },
  "weak-signal": {
    about: "goes well, in the worst class of coverage",
    is: { radio: { ...GOOD_RADIO, rsrpDbm: -120, sinrDb: -5 } },
  },
  "no-radio": {
    about: "tells its cell, and nothing of its signal",
    is: { radio: { ...GOOD_RADIO, rsrpDbm: undefined, sinrDb: undefined } },
  },
  "no-cell": {
    about: "tells neither its cell nor its signal",
    is: { radio: { cellId: undefined, rsrpDbm: undefined, sinrDb: undefined } },
  },
} as const satisfies Record<string, Row>;

export type BehaviourName = keyof typeof ROWS;
export const BEHAVIOURS: Readonly<Record<BehaviourName, Row>> = ROWS;

const CODE = /^(query|notice|download|execute|result)-([0-9a-f]{2})$/;
const NUMBER = /^code-(\d{1,3})$/;

/**
 * A name of the table; `notice-04`: this code of PCP at this point, in hexadecimal; `code-5`: this update result of
 * object 5 or this result code of MQTT, decimal. Undefined for anything else.
 */
export function upgradeBehaviour(text: string): UpgradeBehaviour | undefined {
  if (Object.hasOwn(ROWS, text)) return { ...GOOD, ...BEHAVIOURS[text as BehaviourName].is };
  const [, at, code] = CODE.exec(text) ?? [];
  if (at !== undefined && code !== undefined)
    return { ...GOOD, failure: { pcp: { at: at as UpgradePoint, code: Number.parseInt(code, 16) } } };
  const number = Number(NUMBER.exec(text)?.[1] ?? Number.NaN);
  if (!(number <= 255)) return undefined; // also when it is none
  return { ...GOOD, failure: { mqtt: number, ...(number >= 2 && number <= 9 && { object5: number }) } };
}

export type UpgradeTimes = {
  /** Between a piece and the request for the next. */
  readonly paceMs: number;
  readonly slowPaceMs: number;
  readonly installMs: number;
  /** How long the device is off when it restarts. */
  readonly restartMs: number;
  /** What is not answered in this time is asked again, so often in all. */
  readonly answerMs: number;
  readonly maxAttempts: number;
};
export const UPGRADE_TIMES: UpgradeTimes = {
  paceMs: 0,
  slowPaceMs: 1_000,
  installMs: 5_000,
  restartMs: 5_000,
  answerMs: 30_000,
  maxAttempts: 10,
};

export type UpgradeSettings = {
  readonly behaviour: UpgradeBehaviour;
  readonly times: UpgradeTimes;
  /** Object 5 is told no version: what runs after an update. Undefined: what the package says in a first line `version=V`. */
  readonly firmwareVersion?: string | undefined;
  /** What object 5 says that it can: 0 CoAP, 1 CoAPS, 2 HTTP, 3 HTTPS; without this all of them. */
  readonly protocols?: readonly number[] | undefined;
  /** And how it gets its package; without this both ways. */
  readonly delivery?: (typeof DELIVERY)[keyof typeof DELIVERY] | undefined;
};
/** `/5/0/9`. */
export const DELIVERY = { pull: 0, push: 1, both: 2 } as const;

export const paceOf = ({ behaviour, times }: UpgradeSettings): number =>
  behaviour.isSlow ? times.slowPaceMs : times.paceMs;
/** When it has so much, half of it is there; at least one. */
export const halfOf = (total: number): number => Math.max(1, Math.floor(total / 2));
