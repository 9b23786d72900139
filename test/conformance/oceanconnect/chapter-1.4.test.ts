import { expect, test } from "bun:test";
import type { Islet } from "../../support/islet";
import { type Call, furnishCallers, type Headers_ } from "./callers";
import { type Seen, testChapter } from "./chapter";

const LOGIN = "/iocm/app/sec/v1.1.0/login";
const REFRESH = "/iocm/app/sec/v1.1.0/refreshToken";
const FORM: Headers_ = { "content-type": "application/x-www-form-urlencoded" };
const TOKENS = {
  scope: "default",
  tokenType: "Bearer ",
  expiresIn: 3_600,
  accessToken: expect.stringMatching(/^.{1,256}$/),
  refreshToken: expect.stringMatching(/^.{1,256}$/),
};

async function furnish(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { send } = callers;
  const login = (fields: Record<string, string>) =>
    send({ method: "POST", path: LOGIN, body: new URLSearchParams(fields).toString() }, FORM);
  const refresh = (body: unknown) => send({ method: "POST", path: REFRESH, body }, {});
  return {
    ...callers,
    login,
    refresh,
    /** An application of the row's own, with tokens. */
    async loggedIn() {
      const { appId, secret } = await callers.addApplication();
      const { accessToken, refreshToken } = JSON.parse((await login({ appId, secret })).text);
      return { appId, secret, accessToken, refreshToken };
    },
    /** Its account may not call the API. */
    freeze: (appId: string) => callers.manage("PATCH", `/apps/${appId}`, { frozen: true }),
    /** While no token can be stored. */
    async faulty(call: () => Promise<Seen>) {
      callers.refuseTokens();
      try {
        return await call();
      } finally {
        callers.acceptTokens();
      }
    },
  };
}
type World = Awaited<ReturnType<typeof furnish>>;

const LIST: Call = { method: "GET", path: "/iocm/app/dm/v1.4.0/devices?pageNo=0" };
const listedWith = async ({ ask }: World, appId: string, secret: string, token: string) =>
  (await ask(LIST, { appId, secret, token })).status;

testChapter<World>({
  chapters: ["1.4"],
  furnish,
  endpoints: [
    {
      section: "1.4.1",
      async works(world) {
        const { appId, secret, accessToken } = await world.loggedIn();
        const seen = await world.login({ appId, secret });
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, TOKENS]);
        // The later token works, and it alone.
        expect(await listedWith(world, appId, secret, JSON.parse(seen.text).accessToken)).toBe(200);
        expect(await listedWith(world, appId, secret, accessToken)).toBe(403);
      },
      rows: [
        {
          line: "400 100449",
          async provoke(world) {
            const { appId, secret } = await world.loggedIn();
            await world.freeze(appId);
            return world.login({ appId, secret });
          },
        },
        { line: "400 102202", provoke: ({ login, caller }) => login({ appId: caller.appId, secret: "" }) },
        { line: "401 100208", provoke: ({ login, caller }) => login({ appId: caller.appId, secret: "wrong" }) },
        {
          line: "500 50252",
          async provoke(world) {
            const { appId, secret } = await world.loggedIn();
            return world.faulty(() => world.login({ appId, secret }));
          },
        },
      ],
    },
    {
      section: "1.4.2",
      async works(world) {
        const { appId, secret, accessToken, refreshToken } = await world.loggedIn();
        const seen = await world.refresh({ appId, secret, refreshToken });
        const tokens = JSON.parse(seen.text);
        expect([seen.status, tokens]).toEqual([200, TOKENS]);
        expect([tokens.accessToken, tokens.refreshToken]).not.toEqual([accessToken, refreshToken]);
        expect(await listedWith(world, appId, secret, tokens.accessToken)).toBe(200);
        expect(await listedWith(world, appId, secret, accessToken)).toBe(403);
      },
      rows: [
        {
          line: "400 100449",
          async provoke(world) {
            const { appId, secret, refreshToken } = await world.loggedIn();
            await world.freeze(appId);
            return world.refresh({ appId, secret, refreshToken });
          },
        },
        {
          line: "400 102202",
          provoke: ({ refresh, caller: { appId, secret } }) => refresh({ appId, secret, refreshToken: "" }),
        },
        {
          line: "400 50400",
          provoke: ({ refresh, caller: { appId, secret } }) => refresh({ appId, secret, refreshToken: "made up" }),
        },
        {
          line: "401 100208",
          async provoke(world) {
            const { appId, refreshToken } = await world.loggedIn();
            return world.refresh({ appId, secret: "wrong", refreshToken });
          },
        },
        {
          line: "500 50252",
          async provoke(world) {
            const { appId, secret, refreshToken } = await world.loggedIn();
            return world.faulty(() => world.refresh({ appId, secret, refreshToken }));
          },
        },
      ],
    },
  ],
  more(world) {
    const long = (length: number) => "x".repeat(length);
    // At its limit a text is looked up, and not found; beyond it, it is not.
    test.each([
      ["1.4.1 appId", LOGIN, (n: number) => ({ appId: long(n), secret: "s" }), 256, "100208", "100208"],
      ["1.4.1 secret", LOGIN, (n: number) => ({ appId: "a", secret: long(n) }), 256, "100208", "100208"],
      [
        "1.4.2 appId",
        REFRESH,
        (n: number) => ({ appId: long(n), secret: "s", refreshToken: "r" }),
        256,
        "100208",
        "50400",
      ],
      [
        "1.4.2 secret",
        REFRESH,
        (n: number) => ({ appId: "a", secret: long(n), refreshToken: "r" }),
        256,
        "100208",
        "50400",
      ],
    ] as const)("%s has at most its documented length", async (_name, path, body, max, within, beyond) => {
      const codeOf = async (length: number) =>
        JSON.parse((await world().send({ method: "POST", path, body: body(length) }, {})).text).error_code;
      expect([await codeOf(max), await codeOf(max + 1)]).toEqual([within, beyond]);
    });

    test("a refresh token is good once, and not after a login", async () => {
      const { refresh, login, loggedIn } = world();
      const { appId, secret, refreshToken } = await loggedIn();
      const second = JSON.parse((await refresh({ appId, secret, refreshToken })).text);
      expect((await refresh({ appId, secret, refreshToken })).status).toBe(400);
      await login({ appId, secret });
      expect((await refresh({ appId, secret, refreshToken: second.refreshToken })).status).toBe(400);
    });
  },
});
