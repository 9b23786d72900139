import { beforeEach, describe, expect, test } from "bun:test";
import type { AppId, Application } from "./application";
import { openedApplications } from "./testing/opened-applications";

const NOBODY = "nobody" as AppId;
let it: ReturnType<typeof openedApplications>;
beforeEach(() => {
  it = openedApplications();
});
const rows = () => it.db.query<{ count: number }, []>("SELECT COUNT(*) AS count FROM application").get()?.count;

describe("a new application", () => {
  test("has an id and a secret of letters and digits, and defaults", async () => {
    const { application, secret } = await it.applications.create({ name: "Meters" });
    expect(application).toEqual({
      no: 1,
      id: expect.stringMatching(/^[A-Za-z0-9]{20}$/) as AppId,
      name: "Meters",
      description: undefined,
      industry: undefined,
      storeHistory: true,
      pushEnabled: true,
      signPushes: false,
      callsPerMinute: undefined,
      frozen: false,
      createdAt: it.clock.now(),
    });
    expect(secret).toMatch(/^[A-Za-z0-9]{28}$/);
  });

  test("is found by id and number, also after a restart", async () => {
    const input = { name: "Meters", description: "d", industry: "water", storeHistory: false, callsPerMinute: 100 };
    const { application } = await it.applications.create(input);
    for (const { applications } of [it, it.restart()]) {
      expect(applications.get(application.id)).toEqual(application);
      expect(applications.find(application.id)).toEqual(application);
      expect(applications.byNo(application.no)).toEqual(application);
      expect(applications.list(0, 10)).toEqual({ items: [application], total: 1 });
    }
    expect(application).toMatchObject(input);
  });

  test("keeps its secret out of the database", async () => {
    const { secret } = await it.applications.create({ name: "Meters" });
    expect(JSON.stringify(it.db.query("SELECT * FROM application").all())).not.toContain(secret);
  });

  test("must have a name of its own", async () => {
    await it.applications.create({ name: "Meters" });
    const seen = seenEvents();
    await expect(it.applications.create({ name: "Meters" })).rejects.toMatchObject({ code: "APP_NAME_TAKEN" });
    expect(rows()).toBe(1);
    expect(seen).toEqual([]);
  });

  test("of two made at once with one name, one is refused", async () => {
    const [first, second] = await Promise.allSettled([
      it.applications.create({ name: "Meters" }),
      it.applications.create({ name: "Meters" }),
    ]);
    expect([first.status, second.status].sort()).toEqual(["fulfilled", "rejected"]);
    expect(it.applications.list(0, 10).total).toBe(1);
  });
});

test("applications are listed oldest first, in pages from 0", async () => {
  for (const name of ["a", "b", "c", "d", "e"]) await it.applications.create({ name });
  const names = (page: number) => it.applications.list(page, 2).items.map(({ name }) => name);
  expect([names(0), names(1), names(2), names(3)]).toEqual([["a", "b"], ["c", "d"], ["e"], []]);
  expect(it.applications.list(3, 2).total).toBe(5);
});

describe("a change", () => {
  let application: Application;
  beforeEach(async () => {
    ({ application } = await it.applications.create({ name: "Meters", description: "d", callsPerMinute: 5 }));
  });

  test("changes what it names and nothing else", async () => {
    const changed = await it.applications.update(application.id, { storeHistory: false, frozen: true });
    expect(changed).toEqual({ ...application, storeHistory: false, frozen: true });
    expect(it.applications.get(application.id)).toEqual(changed);
    expect(it.restart().applications.get(application.id)).toEqual(changed);
  });

  test("can take a value away", async () => {
    await it.applications.update(application.id, { description: undefined, callsPerMinute: undefined });
    expect(it.restart().applications.get(application.id)).toEqual({
      ...application,
      description: undefined,
      callsPerMinute: undefined,
    });
  });

  test("that waits for the same commit as another loses neither", async () => {
    const { id } = application;
    await Promise.all([
      it.applications.update(id, { storeHistory: false }),
      it.applications.update(id, { pushEnabled: false }),
    ]);
    expect(it.applications.get(id)).toMatchObject({ storeHistory: false, pushEnabled: false });
    expect(it.restart().applications.get(id)).toEqual(it.applications.get(id));
  });

  test("is told of inside the transaction: a listener that throws undoes it", async () => {
    it.events.on("applicationChanged", () => {
      throw new Error("listener");
    });
    await expect(it.applications.update(application.id, { frozen: true })).rejects.toThrow("listener");
    expect(it.applications.get(application.id).frozen).toBe(false);
    expect(it.restart().applications.get(application.id).frozen).toBe(false);
  });

  test("of nobody is refused", async () => {
    expect(() => it.applications.get(NOBODY)).toThrow("APP_NOT_FOUND");
    expect(it.applications.find(NOBODY)).toBeUndefined();
    await expect(it.applications.update(NOBODY, { frozen: true })).rejects.toMatchObject({ code: "APP_NOT_FOUND" });
    await expect(it.applications.delete(NOBODY)).rejects.toMatchObject({ code: "APP_NOT_FOUND" });
    await expect(it.applications.resetSecret(NOBODY)).rejects.toMatchObject({ code: "APP_NOT_FOUND" });
  });
});

describe("deletion", () => {
  test("removes it, tells of it, and never gives its number again", async () => {
    const { application } = await it.applications.create({ name: "Meters" });
    const seen = seenEvents();
    await it.applications.delete(application.id);
    expect(seen).toEqual(["applicationDeleted Meters"]);
    expect(it.applications.find(application.id)).toBeUndefined();
    expect(it.applications.byNo(application.no)).toBeUndefined();
    expect(it.applications.list(0, 10)).toEqual({ items: [], total: 0 });
    expect((await it.applications.create({ name: "Meters" })).application.no).toBe(application.no + 1);
  });

  test("is refused while somebody uses it, and then nothing is told", async () => {
    const { application } = await it.applications.create({ name: "Meters" });
    const seen = seenEvents();
    let inUse = true;
    it.applications.refuseDeletionWhile(() => false);
    it.applications.refuseDeletionWhile((no) => no === application.no && inUse);
    await expect(it.applications.delete(application.id)).rejects.toMatchObject({ code: "APP_IN_USE" });
    expect(it.applications.get(application.id)).toEqual(application);
    expect(seen).toEqual([]);
    inUse = false;
    await it.applications.delete(application.id);
  });

  test("is refused while a row of another table refers to it", async () => {
    const { application } = await it.applications.create({ name: "Meters" });
    it.db.run("CREATE TABLE thing (app_no INTEGER NOT NULL REFERENCES application (no)) STRICT");
    it.db.run("INSERT INTO thing VALUES (?)", [application.no]);
    await expect(it.applications.delete(application.id)).rejects.toMatchObject({ code: "APP_IN_USE" });
    expect(it.applications.get(application.id)).toEqual(application);
    expect(rows()).toBe(1);
  });
});

function seenEvents(): string[] {
  const seen: string[] = [];
  it.events.on("applicationChanged", ({ application }) => seen.push(`applicationChanged ${application.name}`));
  it.events.on("applicationDeleted", ({ application }) => seen.push(`applicationDeleted ${application.name}`));
  return seen;
}
