import { MQTT_DEFAULTS } from "../access/mqtt";
import { ACCESS_TOKEN_DEFAULTS } from "../capabilities/applications/access-tokens";
import { ATTEMPT_DEFAULTS } from "../capabilities/applications/attempt-gate";
import { CALL_THROTTLE_DEFAULTS } from "../capabilities/applications/call-throttle";
import { SESSION_DEFAULTS } from "../capabilities/applications/operators";
import { COMMAND_DEFAULTS } from "../capabilities/commands/command";
import { DEVICE_DEFAULTS } from "../capabilities/devices/device-settings";
import { GROUP_DEFAULTS } from "../capabilities/groups/group";
import { TOPIC_LIMITS } from "../capabilities/products/custom-topics";
import { ZIP_LIMITS } from "../capabilities/products/read-zip";
import { DEFAULT_PUSH_SETTINGS } from "../capabilities/subscriptions/push-settings";
import { HISTORY_DEFAULTS, INGEST_DEFAULTS, PURGE_DEFAULTS, RECENT_DEFAULTS } from "../capabilities/telemetry/settings";
import { TRACE_DEFAULTS } from "../capabilities/trace/settings";
import { BODY_LIMITS } from "../northbound/http/json-body";
import { OCEANCONNECT_DEFAULTS } from "../northbound/oceanconnect";

const { maxCapabilityDevices, maxHistoryDevices } = OCEANCONNECT_DEFAULTS;
const DEVICE_QUERIES = { maxCapabilityDevices, maxHistoryDevices };

/** A capability's numbers as configuration: `about` is total, so a new number does not compile without its description. */
type Group<T> = { readonly defaults: T; readonly about: { readonly [K in keyof T]: string } };
const group = <T extends object>(defaults: T, about: Group<T>["about"]): Group<T> => ({ defaults, about });

export const GROUPS = {
  api: group(
    { ...ACCESS_TOKEN_DEFAULTS, ...CALL_THROTTLE_DEFAULTS, ...SESSION_DEFAULTS },
    {
      accessTokenMs: "validity of an application's access token",
      refreshTokenMs: "validity of its refresh token",
      callsPerMinute: "calls of one application in the window before error 1010009; an application may have its own",
      callWindowMs: "the window in which calls are counted",
      sessionMs: "validity of a sign-in to the management API",
      maxSessionsPerUser: "open sign-ins of one user; a further one ends the oldest",
    },
  ),
  attempts: group(ATTEMPT_DEFAULTS, {
    freeFailures: "failed logins under one name that cost nothing",
    firstDelayMs: "wait after the next one; doubles with each further one",
    maxDelayMs: "longest wait",
    forgetAfterMs: "time without a failure after which all is forgotten",
    maxWaitingPerName: "different guesses under one name that may wait",
    maxWaiting: "guesses that may wait in all",
    maxNames: "names whose failures are remembered",
  }),
  mqtt: group(MQTT_DEFAULTS, {
    connectTimeoutMs: "from the accepted connection, TLS handshake included, to the complete CONNECT",
    maxConnections: "connections of all MQTT listeners; the next CONNECT gets return code 3",
    maxHalfOpen: "connections that have not finished CONNECT; more are closed",
    connectsPerSecondPerAddress: "connections accepted per second and remote address",
    connectBurstPerAddress: "connections of one remote address that may come at once",
    maxConnectBytes: "largest CONNECT packet, its will included",
    maxPacketBytes: "largest packet after CONNECT",
    maxUncommittedMessages: "messages of one connection not yet on disk; beyond it the socket is not read",
    maxUncommittedBytes: "the same in bytes",
    maxOutboundBytes: "bytes waiting for one connection; beyond it the connection is dropped",
    stallTimeoutMs: "a connection that takes none of its waiting bytes for this long is dropped",
    maxInflight: "messages to a device that it has not acknowledged",
    maxSubscriptions: "subscriptions of one device",
    maxFilterBytes: "longest topic filter",
    maxCachedSubDevices: "sub-devices remembered per connection of a gateway",
    sessionExpiryMs: "how long a persistent session waits for its device",
    timestampToleranceMs: "signature type 1: how far the hour of the client id may be off",
    loginFailuresAllowed: "wrong logins of one identity from one address before answers are held back",
    loginDelayMs: "first delay; doubles with each further failure",
    maxLoginDelayMs: "longest delay",
    stopGraceMs: "how long a stop waits for commits under way",
  }),
  devices: group(DEVICE_DEFAULTS, {
    onlineGraceMs: "a device is OFFLINE this long after its connection is gone",
    registrationTimeoutS: "seconds in which a registered device must connect, if the request names none; 0: for ever",
    refreshTimeoutS: "the same for refreshed credentials",
    expirySweepMs: "how often registrations are looked at whose time is over",
    maxDevices: "devices of one application; 0: no limit",
    maxFrozenDevices: "frozen devices of one application; 0: no limit",
    maxNonSecureDevices: "devices of one application without secure mode; 0: no limit",
    maxTags: "tags of one device",
  }),
  groups: group(GROUP_DEFAULTS, {
    maxGroups: "groups of one application, its default group not counted; 0: no limit",
    maxDepth: "levels of a tree of groups",
    maxIdsPerCall: "devices that one call may put into a group, move or take out",
  }),
  ingest: group(INGEST_DEFAULTS, {
    futureToleranceMs: "an event time further ahead than this counts as malformed",
    maxDataChars: "largest data of one service in one message, as JSON",
    maxDataDepth: "deepest nesting of it",
    maxBatchMessages: "messages in one commit",
    maxBatchChars: "characters in one commit",
    maxBatchesInFlight: "commits handed to the writer thread that have not returned",
    queueHighChars: "characters not yet on disk above which sockets are paused",
    queueLowChars: "characters not yet on disk below which they go on",
    maxStates: "devices whose reported state is held in memory",
    maxStateChars: "characters of it",
    lastSeenStepMs: "the time a device was last seen is written again when it has moved by so much",
  }),
  history: group(
    { ...PURGE_DEFAULTS, ...RECENT_DEFAULTS },
    {
      recentMaxBlocks: "recent blocks (a device, a commit) that wait to be joined under the index, at most",
      recentMaxChars: "characters of them",
      recentMaxAgeMs: "how long they wait",
      moveIntervalMs: "how often that is looked at",
      moveStepBlocks: "joined blocks of one step",
      moveStepChars: "characters of one step",
      deleteStepRows: "recent rows deleted in one step",
      moveDutyCycle: "share of the time that this may take, 0 to 1",
      historyKeepMs: "how long reports are kept, unless the device has a time of its own",
      purgeIntervalMs: "pause between two rounds of deletion",
      agingIntervalMs: "pause between two looks at devices with a time of their own",
      targetStepMs: "wanted duration of one deletion step in the writer thread",
      minStepRows: "rows of a step, at least",
      maxStepRows: "rows of a step, at most",
      dutyCycle: "share of the time that deletion may take, 0 to 1",
      maxPauseMs: "longest pause between two steps of deletion",
    },
  ),
  products: group(
    { ...ZIP_LIMITS, ...TOPIC_LIMITS },
    {
      maxZipBytes: "largest product package",
      maxEntries: "files in it",
      maxEntryBytes: "largest of them, unpacked",
      maxTotalBytes: "all of them, unpacked",
      maxRatio: "times that a file may grow when it is unpacked",
      maxTopics: "custom topics of a product",
      maxNameLength: "characters of their names",
    },
  ),
  query: group(
    { ...HISTORY_DEFAULTS, maxBodyBytes: BODY_LIMITS.maxBytes, maxBodyDepth: BODY_LIMITS.maxDepth, ...DEVICE_QUERIES },
    {
      unitsPerTurn: "blocks and records of the history looked at before the event loop gets its turn",
      maxPageSize: "records of one page of the history",
      maxPageChars: "characters of one page of the history",
      maxBodyBytes: "largest body of a call to the vendor's API",
      maxBodyDepth: "deepest nesting of it",
      maxCapabilityDevices: "devices in one answer of 1.6.5",
      maxHistoryDevices: "devices behind a gateway that 1.6.3 looks through",
    },
  ),
  trace: group(TRACE_DEFAULTS, {
    traceKeepMs: "how long traces are kept",
    maxTracesPerDevice: "traces kept of one device",
    maxTraces: "traces kept of all devices",
    maxPerSecondEach: "traces per second of one device; more are only counted",
    maxPerSecondKnown: "traces per second of all devices",
    maxPerSecondUnknown: "traces per second of all unknown ids",
    traceFlushMs: "how long traces wait for their commit",
    maxWaitingTraces: "traces waiting for a slow disk",
  }),
  commands: group(COMMAND_DEFAULTS, {
    answerTimeoutMs: "how long the answer to a command is awaited",
    maxOpenPerDevice: "commands without an answer of one connection",
    keepMs: "how long ended commands can be queried",
    sweepIntervalMs: "how often overdue answers and old commands are looked for",
    sweepBatch: "commands touched in one transaction of that",
  }),
  push: group(DEFAULT_PUSH_SETTINGS, {
    answerTimeoutMs: "an address that has not answered by then has failed",
    retryIntervalMs: "between two attempts of one message",
    keepMs: "how long a message is tried",
    maxFailedRetries: "failed retries in a row after which an address is invalid",
    probeIntervalMs: "how often an invalid address is probed",
    probeTimeoutMs: "time limit of a probe",
    maxInFlight: "requests under way to all addresses",
    maxInFlightPerTarget: "requests under way to one address",
    windowRows: "messages of one address held in memory",
    windowBytes: "the same in bytes",
    totalWindowBytes: "bytes of messages of all addresses held in memory",
    maxRowsPerBlockedKey: "messages of a device held in memory behind one that waits for its retry",
    maxWaitingPerTarget: "undelivered messages of one address; further ones are given up at once",
    flushIntervalMs: "outcomes are written at least this often",
    flushRows: "or when so many wait",
    maxUnsettled: "sending pauses while more outcomes are not yet on disk",
    maxAnswerBytes: "an answer larger than this ends its connection",
    answerBodyGraceMs: "and so does one whose body takes longer",
    keptDeliveredAttempts: "successful attempts kept in the push log, per address",
    keptFailedAttempts: "failed attempts kept, per address",
    attemptAgeMs: "how long attempts are kept",
    keptDeadLetters: "given-up messages kept for replay, per address",
    deadLetterAgeMs: "how long they are kept",
    purgeIntervalMs: "how often what is over these limits is deleted",
    idleTargetMs: "an unused address is forgotten after this",
    stopGraceMs: "how long a stop waits for requests under way",
  }),
} as const;

export type Settings = { readonly [G in keyof typeof GROUPS]: (typeof GROUPS)[G]["defaults"] };
