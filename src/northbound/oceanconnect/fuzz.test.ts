import { expect, test } from "bun:test";
import { seededRandom } from "../../platform/testing/seeded-random";
import { AUTHORIZED, harness } from "./testing/harness";
import { CALL_SECTIONS, REQUESTS, withQuery } from "./testing/requests";

const ROUNDS = 4_000;
const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 32));
// By the document these errors of a caller have a status of 500.
const CALLERS_500 = new Set(["100203", "100220", "100229"]);
const KEYS = [
  ...["appId", "secret", "deviceInfo", "nodeId", "timeout", "verifyCode", "header", "body", "method", "mode", "paras"],
  ...["command", "deviceId", "serviceId", "expireTime", "maxRetransmit", "callbackUrl", "notifyType", "tags", "mute"],
  ...["tagName", "deviceConfig", "isSecure", "pageNo", "pageSize", "startTime", "endTime", "gatewayId", "select"],
  ...["loraServerId", "gatewayEUI", "devEUI", "appEUI", "joinType", "appKey", "devAddr", "ownerAppId"],
  ...["name", "description", "maxDevNum", "deviceIds", "devGroupId", "accessAppId"],
  ...["cascade", "channel", "__proto__", "constructor", "toString", ""],
];
const SCALARS = [
  null,
  true,
  0,
  -1,
  1e308,
  2 ** 53,
  "",
  "TRUE",
  "0",
  "\ud800",
  "\0",
  "20260101T000000Z",
  "app-1",
  "🙂".repeat(200),
];
const ENCODINGS = ["%", "%zz", "%ff", "%00", "+", "&", "=", "#", "é", "%F0%9F%99%82", "[]", "999999999999999999"];

test(`random bodies, queries and headers are never our fault (FUZZ_SEED=${seed})`, async () => {
  const random = seededRandom(seed);
  const upTo = (count: number) => Math.floor(random() * count);
  const pick = <T>(from: readonly T[]) => from[upTo(from.length)] as T;
  const value = (depth: number): unknown => {
    const kind = upTo(depth > 4 ? 1 : 4);
    if (kind === 1) return Array.from({ length: upTo(4) }, () => value(depth + 1));
    if (kind > 1)
      return JSON.parse(
        `{${Array.from({ length: upTo(6) }, () => `${JSON.stringify(pick(KEYS))}:${JSON.stringify(value(depth + 1))}`).join()}}`,
      );
    return pick(SCALARS);
  };
  const scramble = (text: string) => {
    const at = upTo(text.length);
    return pick([
      text.slice(0, at),
      text + text.slice(at),
      `${text.slice(0, at)}${String.fromCharCode(upTo(0xffff))}${text.slice(at + 1)}`,
    ]);
  };
  const h = harness();
  const samples = [
    ...CALL_SECTIONS.map((section) => REQUESTS[section]),
    { method: "POST", path: "/iocm/app/sec/v1.1.0/login", body: { appId: "a", secret: "s" } },
    { method: "POST", path: "/iocm/app/sec/v1.1.0/refreshToken", body: { appId: "a", secret: "s", refreshToken: "r" } },
  ];
  for (let round = 0; round < ROUNDS; round++) {
    const sample = pick(samples);
    const query = Array.from({ length: upTo(4) }, () => `${pick(KEYS)}=${pick([...ENCODINGS, "1", "app-1"])}`).join(
      "&",
    );
    const path = withQuery(random() < 0.3 ? scramble(sample.path) : sample.path, query).replace(/^\/?/, "/");
    const mixed = random() < 0.5 ? { ...sample.body, ...(value(0) as object) } : value(0);
    const body = random() < 0.3 ? scramble(JSON.stringify(mixed)) : JSON.stringify(mixed);
    const headers = {
      ...AUTHORIZED,
      "content-type": pick(["application/json", "application/x-www-form-urlencoded", ""]),
    };
    const method = random() < 0.1 ? pick(["PATCH", "OPTIONS", "PUT", "POST", "DELETE"]) : sample.method;
    const answer = await h.call(method, path, method === "GET" ? undefined : body, headers);
    const context = `round ${round}: ${method} ${path} ${body}`;
    expect({ context, faults: h.faults }).toEqual({ context, faults: [] });
    const code = answer.json?.error_code;
    if (answer.status >= 500 && !CALLERS_500.has(code)) expect({ context, answer }).toBeUndefined();
    if (answer.status >= 400 && typeof code !== "string") expect({ context, answer }).toBeUndefined();
  }
}, 60_000);
