import { beforeEach, expect, test } from "bun:test";
import { DomainError } from "../../platform/domain-error";
import type { Application } from "./application";
import { openedApplications } from "./testing/opened-applications";

let it: ReturnType<typeof openedApplications>;
let a: Application;
let b: Application;
let c: Application;
let revoked: string[];
beforeEach(async () => {
  it = openedApplications();
  const make = async (name: string) => (await it.applications.create({ name })).application;
  [a, b, c] = [await make("a"), await make("b"), await make("c")];
  revoked = [];
  it.events.on("grantRevoked", ({ owner, grantee }) => revoked.push(`${owner.name}-${grantee.name}`));
});

/** Who may do what, `owner-grantee access`, by memory and by disk, which must agree. */
function rights(grants = it.grants): string[] {
  const pairs = [a, b, c].flatMap((owner) => [a, b, c].map((grantee) => [owner, grantee] as const));
  return pairs.flatMap(([owner, grantee]) => {
    const access = grants.accessOf(owner.no, grantee.no);
    expect(grants.holds(owner.no, grantee.no)).toBe(access !== undefined);
    return access ? [`${owner.name}-${grantee.name} ${access}`] : [];
  });
}
const refusal = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    (error: unknown) => (error instanceof DomainError ? error.code : error),
  );

test("nobody is authorised by default", () => expect(rights()).toEqual([]));

test("a right is for one application and one direction, is not passed on, and outlives a restart", async () => {
  await it.grants.grant(a.id, b.id, "edit");
  await it.grants.grant(b.id, c.id, "query");
  expect(rights()).toEqual(["a-b edit", "b-c query"]);
  expect(rights(it.restart().grants)).toEqual(["a-b edit", "b-c query"]);
});

test("two may authorise each other", async () => {
  await it.grants.grant(a.id, b.id, "edit");
  await it.grants.grant(b.id, a.id, "query");
  expect(rights()).toEqual(["a-b edit", "b-a query"]);
});

test("granting again changes the right, and keeps the time", async () => {
  const { createdAt } = await it.grants.grant(a.id, b.id, "edit");
  await it.clock.advance(5_000);
  expect(await it.grants.grant(a.id, b.id, "query")).toMatchObject({ access: "query", createdAt });
  expect(rights()).toEqual(["a-b query"]);
  expect(revoked).toEqual([]);
});

test("both sides see it, in order and by page", async () => {
  await it.grants.grant(a.id, c.id, "query");
  await it.clock.advance(1_000);
  await it.grants.grant(a.id, b.id, "edit");
  const names = ({ items, total }: ReturnType<typeof it.grants.given>) => [
    ...items.map(({ owner, grantee }) => `${owner.name}-${grantee.name}`),
    total,
  ];
  expect(names(it.grants.given(a.id, 0, 10))).toEqual(["a-c", "a-b", 2]);
  expect(names(it.grants.given(a.id, 1, 1))).toEqual(["a-b", 2]);
  expect(names(it.grants.received(b.id, 0, 10))).toEqual(["a-b", 1]);
  expect(names(it.grants.received(a.id, 0, 10))).toEqual([0]);
});

test("is revoked, and whoever keeps something for it is told inside the transaction", async () => {
  await it.grants.grant(a.id, b.id, "edit");
  await it.grants.grant(a.id, c.id, "query");
  let seen: boolean | undefined;
  it.events.on("grantRevoked", ({ owner, grantee }) => {
    seen = it.grants.holds(owner.no, grantee.no);
  });
  await it.grants.revoke(a.id, b.id);
  expect([rights(), revoked, seen]).toEqual([["a-c query"], ["a-b"], false]);
  expect(rights(it.restart().grants)).toEqual(["a-c query"]);
  expect(await refusal(it.grants.revoke(a.id, b.id))).toBe("GRANT_NOT_FOUND");
});

test("a listener that fails keeps the right as it was", async () => {
  await it.grants.grant(a.id, b.id, "edit");
  it.events.on("grantRevoked", () => {
    throw new Error("disk gone");
  });
  await expect(it.grants.revoke(a.id, b.id)).rejects.toThrow("disk gone");
  expect(rights()).toEqual(["a-b edit"]);
});

test.each(["owner", "grantee"] as const)("goes when the %s is deleted", async (who) => {
  await it.grants.grant(a.id, b.id, "edit");
  await it.grants.grant(c.id, a.id, "query");
  await it.applications.delete(who === "owner" ? a.id : b.id);
  const left = who === "owner" ? [] : ["c-a query"];
  expect([rights(), rights(it.restart().grants)]).toEqual([left, left]);
});

test("in one commit: what is granted after a deletion is refused, and what is deleted after is gone", async () => {
  const late = Promise.all([it.applications.delete(b.id), refusal(it.grants.grant(a.id, b.id, "edit"))]);
  expect((await late)[1]).toBe("APP_NOT_FOUND");
  await Promise.all([it.grants.grant(a.id, c.id, "edit"), it.grants.revoke(a.id, c.id)]);
  expect(rights()).toEqual([]);
});

test("refuses an application that is not there, and one for itself", async () => {
  const nobody = "nobody" as typeof a.id;
  expect(await refusal(it.grants.grant(nobody, b.id, "edit"))).toBe("APP_NOT_FOUND");
  expect(await refusal(it.grants.grant(a.id, nobody, "edit"))).toBe("APP_NOT_FOUND");
  expect(await refusal(it.grants.grant(a.id, a.id, "edit"))).toBe("INPUT_INVALID");
  expect(await refusal(it.grants.revoke(a.id, nobody))).toBe("APP_NOT_FOUND");
  expect(() => it.grants.given(nobody, 0, 1)).toThrow("APP_NOT_FOUND");
  expect(() => it.grants.received(nobody, 0, 1)).toThrow("APP_NOT_FOUND");
  expect(rights()).toEqual([]);
});
