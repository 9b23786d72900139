import type { Database } from "bun:sqlite";
import { afterEach, expect, test } from "bun:test";
import { REGISTRY_MIGRATIONS } from "../../../migrations";
import { DomainError } from "../../platform/domain-error";
import { eventBus } from "../../platform/events";
import { randomIds } from "../../platform/ids";
import { groupCommit } from "../../platform/storage/group-commit";
import { openDatabase } from "../../platform/storage/open-database";
import { manualClock } from "../../platform/testing/manual-clock";
import type { AppId, Application } from "../applications/application";
import type { ProductEvents, ProductId } from "./product";
import { productService } from "./product-service";
import {
  SAMPLE_PACKAGE_NAME,
  sampleDeviceType,
  sampleFiles,
  sampleServiceTypes,
  withValue,
  zipOf,
} from "./testing/sample-model";

const A = "appA" as AppId;
const B = "appB" as AppId;
let db: Database;
afterEach(() => db.close());

function open() {
  db = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  for (const [no, id] of [A, B].entries())
    db.run(
      `INSERT INTO application (no, id, name, store_history, push_enabled, frozen, secret_hash, token_generation, sign_pushes, signing_generation, created_at_ms)
       VALUES (?, ?, ?, 1, 1, 0, '', 0, 0, 0, 0)`,
      [no + 1, id, id],
    );
  const find = (id: AppId) => ({ [A]: { no: 1 }, [B]: { no: 2 } })[id] as Application | undefined;
  const get = (id: AppId) => {
    const found = find(id);
    if (!found) throw new DomainError("APP_NOT_FOUND");
    return found;
  };
  const events = eventBus<ProductEvents>();
  const seen: string[] = [];
  for (const name of ["productAdded", "productChanged", "productDeleted"] as const)
    events.on(name, ({ product }) => {
      expect(db.inTransaction).toBe(true);
      seen.push(`${name} ${product.no}`);
    });
  const parts = {
    db,
    transactor: groupCommit(db),
    applications: { get, find },
    events,
    ids: randomIds,
    clock: manualClock(5_000),
  };
  return { products: productService(parts), again: () => productService(parts), seen };
}

const json = () => ({ devicetype: sampleDeviceType(), servicetypes: Object.values(sampleServiceTypes()) });
const code = (expected: string) => expect.objectContaining({ code: expected });

test("an imported package can be read, also after a restart", async () => {
  const { products, again, seen } = open();
  const product = await products.importZip(A, SAMPLE_PACKAGE_NAME, zipOf(sampleFiles()));
  expect(product).toMatchObject({
    name: "WaterMeter_TestManuId_NBIoTDevice",
    appId: A,
    protocolType: "MQTT",
    createdAt: 5_000,
  });
  expect(product.id).not.toContain("_");
  expect(again().get(product.id)).toEqual(product);
  expect(seen).toEqual(["productAdded 1"]);
});

test("manufacturerId and model are unique in an application only; a refusal leaves nothing behind", async () => {
  const { products, seen } = open();
  await products.importJson(A, { ...json(), name: "Meter" });
  await expect(products.importJson(A, json())).rejects.toEqual(code("PRODUCT_EXISTS"));
  const broken = { ...json(), devicetype: withValue(sampleDeviceType(), "devices[0].model", 1) };
  await expect(products.importJson(B, broken)).rejects.toEqual(code("PRODUCT_INVALID"));
  await expect(products.importJson("gone" as AppId, json())).rejects.toEqual(code("APP_NOT_FOUND"));
  expect(products.list(B, 0, 10)).toEqual({ items: [], total: 0 });
  await products.importJson(B, json());
  expect(products.list(A, 0, 10).items.map(({ name }) => name)).toEqual(["Meter"]);
  expect(products.list(A, 1, 10)).toEqual({ items: [], total: 1 });
  expect(seen).toHaveLength(2);
});

test("a JSON import says which of the given service types is wrong", async () => {
  const { products } = open();
  const { WaterMeterBasic, Battery } = sampleServiceTypes();
  const servicetypes = [WaterMeterBasic, withValue(Battery, "services[0].properties", {})];
  await expect(products.importJson(A, { ...json(), servicetypes })).rejects.toMatchObject({
    details: { file: "servicetypes[1]", path: "$.services[0].properties" },
  });
  await expect(products.importJson(A, { ...json(), servicetypes: {} })).rejects.toMatchObject({
    details: { file: "servicetypes", path: "$" },
  });
});

test("is found by its id or by all five fields, within its application", async () => {
  const { products } = open();
  const { id } = await products.importJson(A, json());
  const fields = {
    manufacturerId: "TestManuId",
    manufacturerName: "Test Manufacturer",
    model: "NBIoTDevice",
    deviceType: "WaterMeter",
    protocolType: "Mqtt",
  };
  expect(products.resolve(A, { productId: id })?.id).toBe(id);
  expect(products.resolve(A, fields)?.id).toBe(id);
  expect(products.resolve(B, { productId: id })).toBeUndefined();
  expect(products.resolve(B, fields)).toBeUndefined();
  expect(products.resolve("gone" as AppId, fields)).toBeUndefined();
  for (const field of Object.keys(fields)) expect(products.resolve(A, { ...fields, [field]: "other" })).toBeUndefined();
});

test("O&M capabilities and topics can be changed, nothing else; the compiled model follows", async () => {
  const { products, again, seen } = open();
  const { id, no } = await products.importJson(A, json());
  const before = products.compiled(no);
  expect(products.compiled(no)).toBe(before as NonNullable<typeof before>);
  const om = { upgradeCapability: { supportUpgrade: true, upgradeProtocolType: "PCP" } };
  await products.setOmCapability(id, om);
  await products.setTopics(id, [{ name: "a", permission: "publish" }]);
  expect(products.compiled(no)?.product).toMatchObject({ omCapability: om, topics: [{ name: "a" }] });
  expect(again().get(id)).toEqual(products.get(id));
  await expect(products.setOmCapability(id, { x: 1 })).rejects.toEqual(code("PRODUCT_INVALID"));
  await expect(products.setTopics(id, [{ name: "#", permission: "both" }])).rejects.toEqual(code("TOPIC_INVALID"));
  await expect(products.setTopics("gone" as ProductId, [])).rejects.toEqual(code("PRODUCT_NOT_FOUND"));
  await products.setOmCapability(id, null);
  expect(products.get(id).omCapability).toBeUndefined();
  expect(seen).toEqual(["productAdded 1", "productChanged 1", "productChanged 1", "productChanged 1"]);
});

test("two changes in one commit both hold", async () => {
  const { products } = open();
  const { id } = await products.importJson(A, json());
  await Promise.all([products.setOmCapability(id, {}), products.setTopics(id, [{ name: "a", permission: "both" }])]);
  expect(products.get(id)).toMatchObject({ omCapability: {}, topics: [{ name: "a" }] });
});

test("only MQTT products have custom topics", async () => {
  const { products } = open();
  const devicetype = withValue(sampleDeviceType(), "devices[0].protocolType", "lwm2m");
  const { id, protocolType } = await products.importJson(A, { ...json(), devicetype });
  expect(protocolType).toBe("LWM2M");
  await expect(products.setTopics(id, [{ name: "a", permission: "both" }])).rejects.toEqual(code("TOPIC_INVALID"));
});

test("a deleted product is gone, and its number is not used again", async () => {
  const { products, seen } = open();
  const { id, no } = await products.importJson(A, json());
  await products.delete(id);
  expect(products.compiled(no)).toBeUndefined();
  expect(() => products.get(id)).toThrow(code("PRODUCT_NOT_FOUND"));
  await expect(products.delete(id)).rejects.toEqual(code("PRODUCT_NOT_FOUND"));
  expect((await products.importJson(A, json())).no).toBeGreaterThan(no);
  expect(seen).toEqual(["productAdded 1", "productDeleted 1", "productAdded 2"]);
});
