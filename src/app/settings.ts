import { DTLS_DEFAULTS } from "../access/dtls";
import { MQTT_DEFAULTS } from "../access/mqtt";
import { ACCESS_TOKEN_DEFAULTS } from "../capabilities/applications/access-tokens";
import { ATTEMPT_DEFAULTS } from "../capabilities/applications/attempt-gate";
import { CALL_THROTTLE_DEFAULTS } from "../capabilities/applications/call-throttle";
import { SESSION_DEFAULTS } from "../capabilities/applications/operators";
import { COMMAND_DEFAULTS } from "../capabilities/commands/command";
import { DEVICE_DEFAULTS } from "../capabilities/devices/device-settings";
import { DIAGNOSIS_DEFAULTS } from "../capabilities/diagnosis/task";
import { TOPIC_LIMITS } from "../capabilities/products/custom-topics";
import { ZIP_LIMITS } from "../capabilities/products/read-zip";
import { RESOURCE_DEFAULTS } from "../capabilities/resources/settings";
import { SHADOW_DEFAULTS } from "../capabilities/shadow/desired";
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
  dtls: group(DTLS_DEFAULTS, {
    maxQueuedDatagrams: "datagrams that wait while the kernel has no room; more are lost",
    maxQueuedBytes: "the same in bytes",
    maxHandshakes: "handshakes under way; a further one ends the oldest",
    handshakesPerSecondPerAddress: "handshakes begun per second and remote address",
    handshakeBurstPerAddress: "handshakes of one remote address that may begin at once",
    flightTimeoutMs: "first wait for the client's next flight; doubles with each repetition",
    maxFlightTimeoutMs: "longest wait",
    maxFlightAttempts: "how often a flight is sent in all",
    cookieLifetimeMs: "a cookie is good for at least this long, at most twice as long",
    maxHandshakeDatagramBytes: "handshake flights are cut to datagrams of this size",
    maxIdentityBytes: "longest PSK identity",
    loginFailuresAllowed: "wrong keys for one identity from one address before further ones are not tried",
    loginDelayMs: "first time in which they are not; doubles with each further failure",
    maxLoginDelayMs: "longest time",
    maxSessionsInMemory: "sessions held in memory; the others are on disk only",
    restAfterMs: "silence after which a session gives up its cipher objects",
    dropAfterMs: "silence after which it is on disk only",
    sweepMs: "how often that is looked at",
    flushMs: "how long what is in nobody's transaction (replay window, time of use) waits to be written",
    writeBatch: "sessions written in one transaction",
    usedStepMs: "the time of last use is written again when it has moved by so much",
    sessionExpiryMs: "a session that was not used for so long is forgotten",
    expirySweepMs: "how often that is looked at",
  }),
  devices: group(DEVICE_DEFAULTS, {
    onlineGraceMs: "a device is OFFLINE this long after its connection is gone",
    registrationTimeoutS: "seconds in which a registered device must connect, if the request names none; 0: for ever",
    refreshTimeoutS: "the same for refreshed credentials",
    expirySweepMs: "how often registrations are looked at whose time is over",
    abnormalAfterMs: "a device without a long connection is ABNORMAL after this silence",
    offlineAfterMs: "and OFFLINE after this one; when it is the shorter, ABNORMAL comes last",
    silenceSweepMs: "how often that is looked at",
    silenceBatch: "devices of one step, and of one transaction, of that",
    maxDevices: "devices of one application; 0: no limit",
    maxFrozenDevices: "frozen devices of one application; 0: no limit",
    maxNonSecureDevices: "devices of one application without secure mode; 0: no limit",
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
  shadow: group(SHADOW_DEFAULTS, {
    maxTries: "contacts at which a desired value is sent without an answer before it has failed",
    ackTimeoutMs: "first wait for the acknowledgement of desired values that go through the codec",
    maxRetransmit: "retransmissions of them",
    giveUpAfterMs: "how long one of these tries may last",
    maxSendingDevices: "devices that desired values are sent to at a time",
    maxDesiredChars: "largest desired values of one service, as JSON",
    historyPerDevice: "changes kept of one device",
    historyKeepMs: "how long they are kept",
    purgeIntervalMs: "how often older ones are deleted",
    purgeBatch: "changes deleted in one transaction of that",
  }),
  resources: group(RESOURCE_DEFAULTS, {
    maxOperationsPerDevice: "operations on the resources of one device that wait or are under way",
    maxOperations: "the same of all devices",
    maxWaitS: "longest time in seconds that an operation may wait for a sleeping device",
    operationTimeoutMs: "an operation that takes longer is given up for its caller",
    maxValuesPerDevice: "resources of one device whose last value is kept",
    maxValueChars: "longest value that is kept, as JSON",
    valueFlushMs: "how long new values wait for their commit",
    maxUnstoredValues: "values waiting for a slow disk",
    maxObservationsPerDevice: "observations that operators may want of one device",
    maxObservations: "the same of all devices",
  }),
  diagnosis: group(DIAGNOSIS_DEFAULTS, {
    rebootDelayMs: "a restart waits so long before it may be sent",
    sendWithinMs: "a task that could not be sent within this time has failed",
    answerWithinMs: "and so has one that was not answered within this time after it was sent",
    maxLogBytes: "largest log that is kept",
    keepPerDevice: "ended tasks and their logs kept, per device and kind",
    maxUnfinished: "unfinished tasks of all devices",
    sweepIntervalMs: "how often tasks are looked at whose time is over",
    sweepBatch: "tasks touched in one transaction of that",
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
