import type { Migration } from "../src/platform/storage/open-database";
import registryApplications from "./registry/0001-applications.sql" with { type: "text" };
import registryProducts from "./registry/0002-products.sql" with { type: "text" };
import registryDevices from "./registry/0003-devices.sql" with { type: "text" };
import registryCommands from "./registry/0004-commands.sql" with { type: "text" };
import registrySubscriptions from "./registry/0005-subscriptions.sql" with { type: "text" };
import registryMqttSessions from "./registry/0006-mqtt-sessions.sql" with { type: "text" };
import registryGroups from "./registry/0014-groups.sql" with { type: "text" };
import telemetryTelemetry from "./telemetry/0001-telemetry.sql" with { type: "text" };
import telemetryOutbox from "./telemetry/0002-outbox.sql" with { type: "text" };
import telemetryTraces from "./telemetry/0003-traces.sql" with { type: "text" };
import telemetryMqttInbound from "./telemetry/0004-mqtt-inbound.sql" with { type: "text" };

/** Applied in this order, once each. Append only: a released migration is never edited. */
export const REGISTRY_MIGRATIONS: readonly Migration[] = [
  { name: "0001-applications", sql: registryApplications },
  { name: "0002-products", sql: registryProducts },
  { name: "0003-devices", sql: registryDevices },
  { name: "0004-commands", sql: registryCommands },
  { name: "0005-subscriptions", sql: registrySubscriptions },
  { name: "0006-mqtt-sessions", sql: registryMqttSessions },
  { name: "0014-groups", sql: registryGroups },
];
export const TELEMETRY_MIGRATIONS: readonly Migration[] = [
  { name: "0001-telemetry", sql: telemetryTelemetry },
  { name: "0002-outbox", sql: telemetryOutbox },
  { name: "0003-traces", sql: telemetryTraces },
  { name: "0004-mqtt-inbound", sql: telemetryMqttInbound },
];
