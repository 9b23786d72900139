import { beforeEach, describe, expect, test } from "bun:test";
import { openedApplications } from "./testing/opened-applications";

const HOUR = 3_600_000;
let it: ReturnType<typeof openedApplications>;
beforeEach(() => {
  it = openedApplications();
});

describe("the first user", () => {
  test("gets the configured password", async () => {
    expect(await it.operators.ensureAdmin("a password")).toEqual({ created: true });
    expect(await it.operators.signIn("admin", "a password")).toMatchObject({ expiresAt: it.clock.now() + 12 * HOUR });
  });

  test("gets a made password, told once", async () => {
    const { generatedPassword = "" } = await it.operators.ensureAdmin(undefined);
    expect(generatedPassword).toMatch(/^[A-Za-z0-9]{20}$/);
    expect(await it.operators.ensureAdmin(undefined)).toEqual({ created: false });
    await it.operators.signIn("admin", generatedPassword);
    expect(JSON.stringify(it.db.query("SELECT * FROM operator").all())).not.toContain(generatedPassword);
  });

  test("keeps the password when another is configured later", async () => {
    await it.operators.ensureAdmin("first");
    expect(await it.restart().operators.ensureAdmin("second")).toEqual({ created: false });
    await expect(it.operators.signIn("admin", "second")).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await it.operators.signIn("admin", "first");
  });
});

describe("a session", () => {
  beforeEach(async () => {
    await it.operators.ensureAdmin("right");
  });

  test("is verified until it expires, also after a restart", async () => {
    const { token } = await it.operators.signIn("admin", "right");
    const { operators } = it.restart();
    await it.clock.advance(12 * HOUR - 1);
    expect(operators.verify(token)).toEqual({ username: "admin" });
    await it.clock.advance(1);
    expect(operators.verify(token)).toBeUndefined();
  });

  test("ends by signing out, and only that one", async () => {
    const first = await it.operators.signIn("admin", "right");
    const second = await it.operators.signIn("admin", "right");
    await it.operators.signOut(first.token);
    await it.operators.signOut("nonsense");
    expect(it.operators.verify(first.token)).toBeUndefined();
    expect(it.operators.verify(second.token)).toEqual({ username: "admin" });
  });

  test.each(["", "nonsense", "x".repeat(100_000), "\u0000"])("is not there for the token %#", (token) => {
    expect(it.operators.verify(token)).toBeUndefined();
  });

  test("cannot be taken over from the database", async () => {
    const { token } = await it.operators.signIn("admin", "right");
    const [row] = it.db.query<{ token_hash: Uint8Array }, []>("SELECT token_hash FROM operator_session").all();
    expect(it.operators.verify(Buffer.from(row?.token_hash ?? []).toString("hex"))).toBeUndefined();
    expect(Buffer.from(row?.token_hash ?? []).includes(token)).toBe(false);
  });

  test.each([
    ["a wrong password", "admin", "wrong"],
    ["an empty password", "admin", ""],
    ["an unknown user", "root", "right"],
    ["a user in other letters", "Admin", "right"],
  ])("is refused for %s", async (_rule, username, password) => {
    await expect(it.operators.signIn(username, password)).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(it.db.query("SELECT * FROM operator_session").all()).toEqual([]);
  });

  test("makes room: expired ones go, and of too many the oldest", async () => {
    it = openedApplications({ sessions: { sessionMs: HOUR, maxSessionsPerUser: 3 } });
    await it.operators.ensureAdmin("right");
    const tokens: string[] = [];
    for (let index = 0; index < 5; index++) {
      tokens.push((await it.operators.signIn("admin", "right")).token);
      await it.clock.advance(1_000);
    }
    expect(tokens.map((token) => it.operators.verify(token) !== undefined)).toEqual([false, false, true, true, true]);
    await it.clock.advance(2 * HOUR);
    await it.operators.signIn("admin", "right");
    expect(it.db.query("SELECT * FROM operator_session").all()).toHaveLength(1);
  });

  test("waits after repeated failures, the right password too", async () => {
    for (const password of ["a", "b", "c", "d"])
      await it.operators.signIn("admin", password).catch((error) => expect(error.code).toBe("UNAUTHENTICATED"));
    let isIn = false;
    const signIn = it.operators.signIn("admin", "right").then(() => {
      isIn = true;
    });
    await it.clock.advance(249);
    expect(isIn).toBe(false);
    await it.clock.advance(1);
    await signIn;
    expect(isIn).toBe(true);
  });
});
