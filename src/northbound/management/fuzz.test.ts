import { expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { managementOpenApi } from ".";
import { startApi } from "./testing/fake-ports";

const ROUNDS = 3_000;
const paths = Object.entries(managementOpenApi(startApi().api, "1").paths ?? {}).flatMap(([path, methods]) =>
  Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path: path.replace("/manage/v1", "") })),
);
const SEGMENTS = [
  "app1",
  "p1",
  "p1_n1",
  "g1",
  "5",
  "-1",
  "9e99",
  "%00",
  "%ff",
  "%2F",
  "..",
  "é",
  "__proto__",
  "x".repeat(300),
];
const KEYS = [
  "name",
  "nodeId",
  "productId",
  "ids",
  "topics",
  "tags",
  "deviceIds",
  "parentId",
  "toGroupId",
  "info",
  "__proto__",
  "constructor",
  "toString",
];
const TYPES = [
  "application/json",
  "application/json; charset=x",
  "multipart/form-data; boundary=b",
  "text/plain",
  "",
  "/",
];

test("no request is answered with a fault", async () => {
  const seed = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  const bytes = () => String.fromCharCode(...Array.from({ length: Math.floor(random() * 40) }, () => random() * 256));
  const value = (depth: number): unknown => {
    const kind = Math.floor(random() * (depth > 3 ? 5 : 7));
    if (kind < 5) return [null, bytes(), random() * 1e20, "all", random() < 0.5][kind];
    if (kind === 5) return Array.from({ length: 3 }, () => value(depth + 1));
    return JSON.parse(
      `{${KEYS.filter(() => random() < 0.4).map((key) => `"${key}":${JSON.stringify(value(depth + 1))}`)}}`,
    );
  };

  const { ask, faults } = startApi();
  for (let round = 0; round < ROUNDS; round++) {
    const route = pick(paths);
    const method = random() < 0.9 ? route.method : pick(["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
    const path = route.path.replace(/\{\w+\}/g, () => pick(SEGMENTS));
    const query = random() < 0.3 ? `?${pick([...KEYS, "page", "pageSize", "from"])}=${pick(SEGMENTS)}` : "";
    const body = method === "GET" ? undefined : random() < 0.2 ? bytes() : JSON.stringify(value(0));
    const answer = await ask(method, path + query, body, {
      "content-type": random() < 0.7 ? (TYPES[0] as string) : pick(TYPES),
    });
    expect({ round, method, path, query, body, status: answer.status, faults }).toMatchObject({ faults: [] });
    expect(answer.status).toBeLessThan(500);
  }
});
