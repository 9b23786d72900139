import { createHistogram } from "../src/simulator";
import { defineBench } from "./bench";
import { startServer } from "./support/server";

const CONNECTIONS = 50;

export const register = defineBench({
  name: "register",
  about: `registrations through the application API, each on disk before its answer; ${CONNECTIONS} connections`,
  goals: [{ value: "registrationsPerSecond", atLeast: 3_000 }],
  runs: 3,
  async run({ quick }) {
    const seconds = quick ? 2 : 10;
    const server = await startServer();
    const { appId, secret, productId } = await server.setUp();
    const login = await fetch(`${server.url}/iocm/app/sec/v1.1.0/login`, {
      method: "POST",
      body: new URLSearchParams({ appId, secret }),
    });
    const { accessToken } = (await login.json()) as { accessToken: string };
    const headers = { app_key: appId, authorization: `Bearer ${accessToken}`, "content-type": "application/json" };
    const latencies = createHistogram();
    const start = performance.now();
    let next = 0;
    const connection = async (): Promise<void> => {
      for (let now = start; now - start < seconds * 1_000; ) {
        const nodeId = `register-${next++}`;
        const response = await fetch(`${server.url}/iocm/app/reg/v2.0.0/deviceCredentials`, {
          method: "POST",
          headers,
          body: JSON.stringify({ deviceInfo: { nodeId, name: nodeId }, mqttConnect: true, productId }),
        });
        const text = await response.text();
        if (!text.includes('"secret"')) throw new Error(`registration: ${response.status} ${text}`);
        const after = performance.now();
        latencies.record((after - now) * 1_000);
        now = after;
      }
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, connection));
    const elapsed = (performance.now() - start) / 1_000;
    await server.dispose();
    return { registrationsPerSecond: latencies.count / elapsed, p99Ms: latencies.quantile(0.99) / 1_000 };
  },
});
