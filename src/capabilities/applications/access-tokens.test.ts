import { beforeEach, describe, expect, spyOn, test } from "bun:test";
import { SignJWT } from "jose";
import { secretsFrom } from "../../platform/secrets";
import type { AppId, Application, Tokens } from "./application";
import { ATTEMPT_DEFAULTS } from "./attempt-gate";
import { openedApplications } from "./testing/opened-applications";

const HOUR = 3_600_000;
let it: ReturnType<typeof openedApplications>;
let application: Application;
let id: AppId;
let secret: string;
beforeEach(async () => {
  it = openedApplications();
  ({ application, secret } = await it.applications.create({ name: "Meters" }));
  id = application.id;
});
const failure = async (promise: Promise<unknown>) =>
  promise.then(
    () => "none",
    (error: { code?: string }) => error.code ?? String(error),
  );
const authorize = (tokens: Tokens, appId: string = id) => failure(it.tokens.authorize(appId, tokens.accessToken));
const refresh = (tokens: Tokens) => it.tokens.refresh(id, secret, tokens.refreshToken);

describe("a login", () => {
  test("gives tokens that open the API", async () => {
    const tokens = await it.tokens.login(id, secret);
    expect(tokens.expiresInS).toBe(3_600);
    expect(await it.tokens.authorize(id, tokens.accessToken)).toEqual(application);
    expect(await it.tokens.authorize(id, tokens.accessToken)).toEqual(application);
  });

  test("gives tokens of at most 256 characters", async () => {
    it.db.run("UPDATE application SET token_generation = 9007199254740000");
    const { tokens } = it.restart();
    const { accessToken, refreshToken } = await tokens.login(id, secret);
    expect(Math.max(accessToken.length, refreshToken.length)).toBeLessThanOrEqual(256);
    expect(await tokens.authorize(id, accessToken)).toEqual(application);
  });

  test("voids the tokens of earlier ones", async () => {
    const first = await it.tokens.login(id, secret);
    const second = await it.tokens.login(id, secret);
    expect(await authorize(first)).toBe("TOKEN_INVALID");
    expect(await failure(refresh(first))).toBe("REFRESH_TOKEN_INVALID");
    expect(await authorize(second)).toBe("none");
  });

  test("of several at once leaves one valid", async () => {
    const all = await Promise.all(Array.from({ length: 20 }, () => it.tokens.login(id, secret)));
    const valid = await Promise.all(all.map((tokens) => authorize(tokens)));
    expect(valid.filter((code) => code === "none")).toHaveLength(1);
  });

  test("of one application leaves the tokens of another", async () => {
    const other = await it.applications.create({ name: "Lamps" });
    const tokens = await it.tokens.login(id, secret);
    await it.tokens.login(other.application.id, other.secret);
    expect(await authorize(tokens)).toBe("none");
  });

  test.each([
    ["a wrong secret", () => it.tokens.login(id, `${secret}x`)],
    ["an empty secret", () => it.tokens.login(id, "")],
    ["a very long secret", () => it.tokens.login(id, "x".repeat(100_000))],
    ["an unknown application", () => it.tokens.login("nobody", secret)],
    [
      "another application's secret",
      async () => it.tokens.login((await it.applications.create({ name: "b" })).application.id, secret),
    ],
  ])("is refused for %s, and voids nothing", async (_rule, login) => {
    const tokens = await it.tokens.login(id, secret);
    expect(await failure(login())).toBe("APP_CREDENTIALS_WRONG");
    expect(await authorize(tokens)).toBe("none");
  });
});

describe("an access token", () => {
  test("is refused with another app_key", async () => {
    const other = await it.applications.create({ name: "Lamps" });
    const tokens = await it.tokens.login(id, secret);
    for (const appKey of [other.application.id, "", "nobody", id.toLowerCase()])
      expect(await authorize(tokens, appKey)).toBe("TOKEN_INVALID");
  });

  test("lasts 3600 s", async () => {
    const seen = await it.tokens.login(id, secret);
    await authorize(seen);
    await it.clock.advance(HOUR - 1);
    expect(await authorize(seen)).toBe("none");
    await it.clock.advance(1);
    expect(await authorize(seen)).toBe("TOKEN_INVALID");
    expect(await authorize(seen)).toBe("TOKEN_INVALID");
  });

  test("that was never used expires too", async () => {
    const tokens = await it.tokens.login(id, secret);
    await it.clock.advance(HOUR);
    expect(await authorize(tokens)).toBe("TOKEN_INVALID");
  });

  test("survives a restart, and so does its end", async () => {
    const first = await it.tokens.login(id, secret);
    const second = await it.tokens.login(id, secret);
    const { tokens } = it.restart();
    expect(await failure(tokens.authorize(id, second.accessToken))).toBe("none");
    expect(await failure(tokens.authorize(id, first.accessToken))).toBe("TOKEN_INVALID");
  });

  test("is void at once with a new secret", async () => {
    const tokens = await it.tokens.login(id, secret);
    await authorize(tokens);
    const next = await it.applications.resetSecret(id);
    expect(await authorize(tokens)).toBe("TOKEN_INVALID");
    expect(await failure(it.tokens.login(id, secret))).toBe("APP_CREDENTIALS_WRONG");
    expect(await failure(it.tokens.refresh(id, next, tokens.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    expect(await authorize(await it.tokens.login(id, next))).toBe("none");
  });

  test("of a deleted application says so", async () => {
    const tokens = await it.tokens.login(id, secret);
    await it.applications.delete(id);
    expect(await authorize(tokens)).toBe("APP_NOT_FOUND");
    expect(await failure(it.tokens.login(id, secret))).toBe("APP_CREDENTIALS_WRONG");
  });

  test("of a frozen application is refused until it is thawed", async () => {
    const tokens = await it.tokens.login(id, secret);
    await it.applications.update(id, { frozen: true });
    expect(await authorize(tokens)).toBe("APP_FROZEN");
    expect(await failure(it.tokens.login(id, secret))).toBe("APP_FROZEN");
    expect(await failure(refresh(tokens))).toBe("APP_FROZEN");
    expect(await failure(it.tokens.login(id, "wrong"))).toBe("APP_CREDENTIALS_WRONG");
    await it.applications.update(id, { frozen: false });
    expect(await authorize(tokens)).toBe("none");
  });

  test("cannot be a refresh token, nor the other way round", async () => {
    const { accessToken, refreshToken } = await it.tokens.login(id, secret);
    expect(await failure(it.tokens.authorize(id, refreshToken))).toBe("TOKEN_INVALID");
    expect(await failure(it.tokens.refresh(id, secret, accessToken))).toBe("REFRESH_TOKEN_INVALID");
  });

  test("is refused when it is changed anywhere", async () => {
    const { accessToken } = await it.tokens.login(id, secret);
    for (let at = 0; at < accessToken.length - 1; at++) {
      // the last character has unused bits
      const changed = accessToken.slice(0, at) + (accessToken[at] === "A" ? "B" : "A") + accessToken.slice(at + 1);
      expect(await failure(it.tokens.authorize(id, changed))).toBe("TOKEN_INVALID");
    }
  });

  test.each(["", "a", "a.b.c", "....", "\u0000", "x".repeat(10_000), "eyJhbGciOiJub25lIn0.e30."])(
    "is refused when it is %j",
    async (token) => {
      expect(await failure(it.tokens.authorize(id, token))).toBe("TOKEN_INVALID");
    },
  );

  test("made with another key, or with no signature, is refused", async () => {
    const claims = () => new SignJWT({ gen: 1 }).setSubject(id).setAudience("access").setExpirationTime("1h");
    const forged = await claims()
      .setProtectedHeader({ alg: "HS256" })
      .sign(secretsFrom(new Uint8Array(32)).deriveKey("access-tokens"));
    const genuine = secretsFrom(new Uint8Array(32).fill(1)).deriveKey("access-tokens");
    const other = await claims()
      .setProtectedHeader({ alg: "HS384" })
      .sign(new Uint8Array([...genuine, ...genuine]));
    for (const token of [forged, other]) expect(await failure(it.tokens.authorize(id, token))).toBe("TOKEN_INVALID");
  });
});

describe("a refresh", () => {
  test("gives new tokens and voids the old ones", async () => {
    const first = await it.tokens.login(id, secret);
    const second = await refresh(first);
    expect(await authorize(second)).toBe("none");
    expect(await authorize(first)).toBe("TOKEN_INVALID");
    expect(await failure(refresh(first))).toBe("REFRESH_TOKEN_INVALID");
    expect(await authorize(second)).toBe("none");
    expect(await authorize(await refresh(second))).toBe("none");
  });

  test("works once when asked for twice at the same time", async () => {
    const tokens = await it.tokens.login(id, secret);
    const codes = await Promise.all([failure(refresh(tokens)), failure(refresh(tokens))]);
    expect(codes.sort()).toEqual(["REFRESH_TOKEN_INVALID", "none"]);
  });

  test("works for 24 h, also when the access token is over", async () => {
    const tokens = await it.tokens.login(id, secret);
    await it.clock.advance(24 * HOUR - 1);
    const { refreshToken } = tokens;
    expect(await authorize(tokens)).toBe("TOKEN_INVALID");
    await it.clock.advance(1);
    expect(await failure(it.tokens.refresh(id, secret, refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    const fresh = await it.tokens.login(id, secret);
    await it.clock.advance(24 * HOUR - 1);
    expect(await failure(refresh(fresh))).toBe("none");
  });

  test("works after a restart", async () => {
    const tokens = await it.tokens.login(id, secret);
    expect(await failure(it.restart().tokens.refresh(id, secret, tokens.refreshToken))).toBe("none");
  });

  test("needs the secret and a token of the same application", async () => {
    const other = await it.applications.create({ name: "Lamps" });
    const tokens = await it.tokens.login(id, secret);
    const others = await it.tokens.login(other.application.id, other.secret);
    expect(await failure(it.tokens.refresh(id, "wrong", tokens.refreshToken))).toBe("APP_CREDENTIALS_WRONG");
    expect(await failure(it.tokens.refresh(id, secret, others.refreshToken))).toBe("REFRESH_TOKEN_INVALID");
    expect(await failure(it.tokens.refresh(id, secret, "nonsense"))).toBe("REFRESH_TOKEN_INVALID");
    expect(await failure(refresh(tokens))).toBe("none");
  });
});

describe("the throttle", () => {
  const codesOf = async (tokens: Tokens, calls: number) => {
    const codes: Record<string, number> = {};
    for (let call = 0; call < calls; call++) {
      const code = await authorize(tokens);
      codes[code] = (codes[code] ?? 0) + 1;
    }
    return codes;
  };

  test("has a limit of the application's own, per 60 s", async () => {
    await it.applications.update(id, { callsPerMinute: 100 });
    const tokens = await it.tokens.login(id, secret);
    expect(await codesOf(tokens, 105)).toEqual({ none: 100, THROTTLED: 5 });
    await it.clock.advance(60_000);
    expect(await codesOf(tokens, 105)).toEqual({ none: 100, THROTTLED: 5 });
  });

  test("has a configured limit for the others", async () => {
    it = openedApplications({ calls: { callsPerMinute: 3, callWindowMs: 60_000 } });
    ({ application, secret } = await it.applications.create({ name: "Meters" }));
    id = application.id;
    expect(await codesOf(await it.tokens.login(id, secret), 5)).toEqual({ none: 3, THROTTLED: 2 });
  });

  test("stops no honest client by default", async () => {
    expect(await codesOf(await it.tokens.login(id, secret), 20_000)).toEqual({ none: 20_000 });
  });

  test("does not count calls that were not authorised, nor other applications'", async () => {
    const other = await it.applications.create({ name: "Lamps", callsPerMinute: 2 });
    await it.applications.update(id, { callsPerMinute: 2 });
    const tokens = await it.tokens.login(id, secret);
    for (let call = 0; call < 10; call++) await failure(it.tokens.authorize(id, "wrong"));
    const others = await it.tokens.login(other.application.id, other.secret);
    for (let call = 0; call < 10; call++) await authorize(others, other.application.id);
    for (let call = 0; call < 10; call++) await authorize(others, id);
    expect(await codesOf(tokens, 3)).toEqual({ none: 2, THROTTLED: 1 });
  });

  test("can be asked alone, and identifying counts nothing", async () => {
    await it.applications.update(id, { callsPerMinute: 1 });
    const tokens = await it.tokens.login(id, secret);
    const { tokens: again } = it;
    for (let call = 0; call < 5; call++) expect((await again.identify(id, tokens.accessToken)).id).toBe(id);
    const current = it.applications.get(id);
    it.throttle.take(current);
    expect(() => it.throttle.take(current)).toThrow("THROTTLED");
    expect(await authorize(tokens)).toBe("THROTTLED");
  });
});

describe("repeated failures", () => {
  /** How long each of some logins one after the other takes to be answered, ms: the check itself takes no time of this clock. */
  async function delays(appId: string, secrets: string[]): Promise<number[]> {
    using after = spyOn(it.clock, "after");
    const result: number[] = [];
    for (const guess of secrets) {
      const start = it.clock.monotonic();
      after.mockClear();
      let answeredAt: number | undefined;
      const answer = failure(it.tokens.login(appId, guess)).then(() => {
        answeredAt = it.clock.monotonic();
      });
      while (answeredAt === undefined) {
        const [wait] = after.mock.calls.splice(0, 1);
        await (wait ? it.clock.advance(wait[0]) : new Promise((resolve) => setImmediate(resolve)));
      }
      await answer;
      result.push((answeredAt ?? 0) - start);
    }
    return result;
  }
  const wrong = (count: number) => Array.from({ length: count }, (_, index) => `wrong${index}`);
  const isSlow = (ms: number) => ms >= 200;

  test("are slowed down more and more, and an unknown application is just the same", async () => {
    for (const appId of [id, "nobody"]) {
      const all = await delays(appId, wrong(9));
      expect(all.map(isSlow)).toEqual([false, false, false, false, true, true, true, true, true]);
      expect(Math.max(...all)).toBeLessThanOrEqual(ATTEMPT_DEFAULTS.maxDelayMs + 500);
      expect(all[8]).toBeGreaterThan((all[4] ?? 0) * 4);
    }
  });

  test("do not slow down a client that logged in before, nor another application", async () => {
    const other = await it.applications.create({ name: "Lamps" });
    await it.tokens.login(id, secret);
    await delays(id, wrong(6));
    expect(await failure(it.tokens.login(id, secret))).toBe("none"); // no time passes here
    expect(await failure(it.tokens.login(other.application.id, other.secret))).toBe("none");
  });

  test("slow down the right secret too while it is not known, but do not lock it out", async () => {
    await delays(id, wrong(6));
    const [ms] = await delays(id, [secret]);
    expect(ms).toBeGreaterThan(200);
    expect(await failure(it.tokens.login(id, secret))).toBe("none");
  });
});
