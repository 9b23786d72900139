import type { Section } from "../errors";

export type Sample = { readonly method: string; readonly path: string; readonly body?: Record<string, unknown> };

/** A right request of every endpoint that needs a token. */
export const REQUESTS: Record<Exclude<Section, "1.4.1" | "1.4.2" | "none">, Sample> = {
  "1.5.1": {
    method: "POST",
    path: "/iocm/app/reg/v1.1.0/deviceCredentials",
    body: { nodeId: "node-1", verifyCode: "node-1", timeout: 0, productId: "p1", deviceName: "Meter 1" },
  },
  "1.5.2": {
    method: "POST",
    path: "/iocm/app/reg/v2.0.0/deviceCredentials",
    body: { deviceInfo: { nodeId: "node-1", name: "Meter 1" }, mqttConnect: true, productId: "p1" },
  },
  "1.5.3": {
    method: "PUT",
    path: "/iocm/app/reg/v1.1.0/deviceCredentials/p1_node-1",
    body: { nodeId: "node-2", timeout: 300, verifyCode: "AE10" },
  },
  "1.5.4": { method: "PUT", path: "/iocm/app/dm/v1.4.0/devices/p1_node-1", body: { name: "New" } },
  "1.5.5": { method: "DELETE", path: "/iocm/app/dm/v1.4.0/devices/p1_node-1" },
  "1.5.7": { method: "GET", path: "/iocm/app/reg/v1.1.0/deviceCredentials/p1_node-1" },
  "1.5.8": {
    method: "PUT",
    path: "/iocm/app/shadow/v1.5.0/devices/p1_node-1",
    body: { serviceDesireds: [{ serviceId: "Battery", desired: { level: 35 } }] },
  },
  "1.5.9": { method: "GET", path: "/iocm/app/shadow/v1.5.0/devices/p1_node-1" },
  "1.5.10": {
    method: "POST",
    path: "/api/v3.0/devices/lora/gateway",
    body: {
      loraServerId: "p1_server",
      productId: "p8",
      gatewayEUI: "00800000a0001234",
      name: "Roof",
      gatewaySeq: "00112233445566778899aabbccddeeff",
    },
  },
  "1.5.11": {
    method: "POST",
    path: "/api/v3.0/devices/lora/node",
    body: {
      loraServerId: "p1_server",
      productId: "p9",
      devEUI: "0004A30B001A2B3C",
      name: "Cellar",
      authCode: "ffeeddccbbaa99887766554433221100",
      appEUI: "70B3D57ED0000001",
      deviceClass: "classA",
      joinType: "OTAA",
      appKey: "2b7e151628aed2a6abf7158809cf4f3c",
      description: "under the stairs",
    },
  },
  "1.5.12": { method: "GET", path: "/api/v3.0/devices/lora/gateway/p8_roof" },
  "1.5.13": { method: "DELETE", path: "/api/v3.0/devices/lora/gateway/p8_roof" },
  "1.5.14": { method: "GET", path: "/api/v3.0/devices/lora/node/p9_cellar" },
  "1.5.15": { method: "DELETE", path: "/api/v3.0/devices/lora/node/p9_cellar" },
  "1.6.1": { method: "GET", path: "/iocm/app/dm/v1.4.0/devices/p1_node-1" },
  "1.6.2": { method: "GET", path: "/iocm/app/dm/v1.4.0/devices?pageNo=0" },
  "1.6.3": { method: "GET", path: "/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=p1_node-1" },
  "1.6.4": {
    method: "GET",
    path: "/iocm/app/shadow/v1.5.0/deviceDesiredHistory?deviceId=p1_node-1&gatewayId=p1_node-1",
  },
  "1.6.5": { method: "GET", path: "/iocm/app/data/v1.1.0/deviceCapabilities?deviceId=p1_node-1" },
  "1.7.1": {
    method: "POST",
    path: "/iocm/app/sub/v1.2.0/subscriptions",
    body: { notifyType: "deviceDataChanged", callbackUrl: "http://h:9/x" },
  },
  "1.7.2": {
    method: "POST",
    path: "/iodm/app/sub/v1.1.0/subscribe",
    body: { notifyType: "swUpgradeResultNotify", callbackUrl: "http://h:9/x" },
  },
  "1.7.3": { method: "GET", path: "/iocm/app/sub/v1.2.0/subscriptions/s1" },
  "1.7.4": { method: "GET", path: "/iocm/app/sub/v1.2.0/subscriptions" },
  "1.7.5": { method: "DELETE", path: "/iocm/app/sub/v1.2.0/subscriptions/s1" },
  "1.7.6": { method: "DELETE", path: "/iocm/app/sub/v1.2.0/subscriptions" },
  "1.9.1": {
    method: "POST",
    path: "/iocm/app/cmd/v1.4.0/deviceCommands",
    body: {
      deviceId: "p1_node-1",
      command: { serviceId: "Battery", method: "SET", paras: { mode: "ECO" } },
      callbackUrl: "http://h:9/c",
      expireTime: 0,
      maxRetransmit: 3,
    },
  },
  "1.9.2": { method: "GET", path: "/iocm/app/cmd/v1.4.0/deviceCommands" },
  "1.9.3": { method: "PUT", path: "/iocm/app/cmd/v1.4.0/deviceCommands/c1", body: { status: "CANCELED" } },
  "1.9.5": {
    method: "POST",
    path: "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks",
    body: { deviceId: "p1_node-1" },
  },
  "1.9.6": { method: "GET", path: "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks" },
  "1.10.1": {
    method: "POST",
    path: "/iocm/app/batchtask/v1.1.0/tasks",
    body: {
      taskName: "all meters",
      taskType: "DeviceCmd",
      timeout: 10,
      param: { type: "Broadcast", command: { serviceId: "Battery", method: "SET", paras: { mode: "ECO" } } },
    },
  },
  "1.10.2": { method: "GET", path: "/iocm/app/batchtask/v1.1.0/tasks/b1" },
  "1.10.3": { method: "GET", path: "/iocm/app/batchtask/v1.1.0/taskDetails?taskId=b1" },
  "1.9.7": {
    method: "POST",
    path: "/iocm/app/signaltrans/v1.1.0/devices/p1_node-1/services/Battery/sendCommand",
    body: {
      header: { mode: "ACK", from: "/users/u1", toType: "GATEWAY", to: "x", method: "SET", requestId: "r1" },
      body: { mode: "ECO" },
    },
  },
  "1.11.1": {
    method: "POST",
    path: "/iocm/app/devgroup/v1.3.0/devGroups",
    body: { name: "cellar", description: "below", maxDevNum: "10", deviceIds: ["p1_node-1"] },
  },
  "1.11.2": { method: "DELETE", path: "/iocm/app/devgroup/v1.3.0/devGroups/g1" },
  "1.11.3": { method: "PUT", path: "/iocm/app/devgroup/v1.3.0/devGroups/g1", body: { name: "attic" } },
  "1.11.4": { method: "GET", path: "/iocm/app/devgroup/v1.3.0/devGroups" },
  "1.11.5": { method: "GET", path: "/iocm/app/devgroup/v1.3.0/devGroups/g1" },
  "1.11.6": { method: "GET", path: "/iocm/app/dm/v1.2.0/devices/ids?devGroupId=g1" },
  "1.11.7": {
    method: "POST",
    path: "/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices",
    body: { devGroupId: "g1", deviceIds: ["p1_node-1"] },
  },
  "1.11.8": {
    method: "POST",
    path: "/iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices",
    body: { devGroupId: "g1", deviceIds: ["p1_node-1"] },
  },
  "1.12.1": { method: "GET", path: "/iodm/northbound/v1.5.0/category" },
  "1.12.2": { method: "GET", path: `/iodm/northbound/v1.5.0/category/${"0a".repeat(16)}` },
  "1.12.3": { method: "DELETE", path: `/iodm/northbound/v1.5.0/category/${"0a".repeat(16)}` },
};
export type CallSection = keyof typeof REQUESTS;
export const CALL_SECTIONS = Object.keys(REQUESTS) as CallSection[];

export const withQuery = (path: string, query: string) => `${path}${path.includes("?") ? "&" : "?"}${query}`;
