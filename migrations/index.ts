import type { Migration } from "../src/platform/storage/open-database";
import registryApplications from "./registry/0001-applications.sql" with { type: "text" };
import registryProducts from "./registry/0002-products.sql" with { type: "text" };
import registryDevices from "./registry/0003-devices.sql" with { type: "text" };
import registryCommands from "./registry/0004-commands.sql" with { type: "text" };
import registrySubscriptions from "./registry/0005-subscriptions.sql" with { type: "text" };
import registryMqttSessions from "./registry/0006-mqtt-sessions.sql" with { type: "text" };
import registryCodecs from "./registry/0007-codecs.sql" with { type: "text" };
import registryCommandQueue from "./registry/0008-command-queue.sql" with { type: "text" };
import registryLwM2m from "./registry/0009-lwm2m.sql" with { type: "text" };
import registryDtlsSessions from "./registry/0010-dtls-sessions.sql" with { type: "text" };
import registryShadowDesired from "./registry/0011-shadow-desired.sql" with { type: "text" };
import registryDiagnosis from "./registry/0012-diagnosis.sql" with { type: "text" };
import registryResourceObservations from "./registry/0013-resource-observations.sql" with { type: "text" };
import registryGroups from "./registry/0014-groups.sql" with { type: "text" };
import registryApplicationGrants from "./registry/0015-application-grants.sql" with { type: "text" };
import registryBatch from "./registry/0016-batch.sql" with { type: "text" };
import registryMqttApplicationSessions from "./registry/0017-mqtt-application-sessions.sql" with { type: "text" };
import registryLora from "./registry/0018-lora.sql" with { type: "text" };
import registryPackages from "./registry/0019-packages.sql" with { type: "text" };
import registryUpgrades from "./registry/0020-upgrades.sql" with { type: "text" };
import registryPcp from "./registry/0021-pcp.sql" with { type: "text" };
import telemetryTelemetry from "./telemetry/0001-telemetry.sql" with { type: "text" };
import telemetryOutbox from "./telemetry/0002-outbox.sql" with { type: "text" };
import telemetryTraces from "./telemetry/0003-traces.sql" with { type: "text" };
import telemetryMqttInbound from "./telemetry/0004-mqtt-inbound.sql" with { type: "text" };
import telemetryDtlsWindows from "./telemetry/0005-dtls-windows.sql" with { type: "text" };
import telemetryResourceValues from "./telemetry/0013-resource-values.sql" with { type: "text" };
import telemetryDtlsWindowMarks from "./telemetry/0022-dtls-window-marks.sql" with { type: "text" };

/** Applied in this order, once each. Append only: a released migration is never edited. */
export const REGISTRY_MIGRATIONS: readonly Migration[] = [
  { name: "0001-applications", sql: registryApplications },
  { name: "0002-products", sql: registryProducts },
  { name: "0003-devices", sql: registryDevices },
  { name: "0004-commands", sql: registryCommands },
  { name: "0005-subscriptions", sql: registrySubscriptions },
  { name: "0006-mqtt-sessions", sql: registryMqttSessions },
  { name: "0007-codecs", sql: registryCodecs },
  { name: "0008-command-queue", sql: registryCommandQueue },
  { name: "0009-lwm2m", sql: registryLwM2m },
  { name: "0010-dtls-sessions", sql: registryDtlsSessions },
  { name: "0011-shadow-desired", sql: registryShadowDesired },
  { name: "0012-diagnosis", sql: registryDiagnosis },
  { name: "0013-resource-observations", sql: registryResourceObservations },
  { name: "0014-groups", sql: registryGroups },
  { name: "0015-application-grants", sql: registryApplicationGrants },
  { name: "0016-batch", sql: registryBatch },
  { name: "0017-mqtt-application-sessions", sql: registryMqttApplicationSessions },
  { name: "0018-lora", sql: registryLora },
  { name: "0019-packages", sql: registryPackages },
  { name: "0020-upgrades", sql: registryUpgrades },
  { name: "0021-pcp", sql: registryPcp },
];
export const TELEMETRY_MIGRATIONS: readonly Migration[] = [
  { name: "0001-telemetry", sql: telemetryTelemetry },
  { name: "0002-outbox", sql: telemetryOutbox },
  { name: "0003-traces", sql: telemetryTraces },
  { name: "0004-mqtt-inbound", sql: telemetryMqttInbound },
  { name: "0005-dtls-windows", sql: telemetryDtlsWindows },
  { name: "0013-resource-values", sql: telemetryResourceValues },
  { name: "0022-dtls-window-marks", sql: telemetryDtlsWindowMarks },
];
