import type { ApplicationService } from "../applications/application";
import type { ProductService } from "../products/product";
import type { LiveDevice } from "./device";
import type { LiveRow } from "./device-repository";

type Parts = {
  read: (deviceNo: number) => LiveRow | undefined;
  applications: Pick<ApplicationService, "byNo">;
  products: Pick<ProductService, "compiled">;
};
type Held = { readonly live: LiveDevice; holders: number };

/** The devices in use: one object each, counted, and changed in place so that nobody holds an old one. */
export function liveDevices({ read, applications, products }: Parts) {
  const held = new Map<number, Held>();

  function changeable(row: LiveRow) {
    const application = applications.byNo(row.app_no);
    return {
      nodeId: row.node_id,
      gatewayNo: row.gateway_no === row.no ? undefined : row.gateway_no,
      gatewayId: row.gateway_id,
      product: row.product_no === null ? undefined : products.compiled(row.product_no),
      muted: row.muted === 1,
      isSecure: row.is_secure === 1,
      needsContact: row.status !== "ONLINE" || row.bound === 0,
      storeHistory: application?.storeHistory ?? false,
      pushEnabled: application?.pushEnabled ?? false,
    };
  }

  return {
    acquire(deviceNo: number): LiveDevice | undefined {
      const known = held.get(deviceNo);
      if (known) {
        known.holders++;
        return known.live;
      }
      const row = read(deviceNo);
      const application = row && applications.byNo(row.app_no);
      if (!row || !application) return undefined;
      const identity = { no: row.no, id: row.id, appNo: row.app_no, appId: application.id };
      const live: LiveDevice = { ...identity, ...changeable(row), deleted: false };
      held.set(deviceNo, { live, holders: 1 });
      return live;
    },

    release(live: LiveDevice): void {
      const known = held.get(live.no);
      if (known?.live !== live) return; // deleted in the meantime
      known.holders--;
      if (known.holders === 0) held.delete(live.no);
    },

    /** After the commit of a change. */
    refresh(deviceNo: number): void {
      const known = held.get(deviceNo);
      const row = known && read(deviceNo);
      if (known && row) Object.assign(known.live, changeable(row));
    },

    /** After the commit of its deletion. Holders keep the object, nobody else gets it. */
    forget(deviceNo: number): void {
      const known = held.get(deviceNo);
      if (!known) return;
      known.live.deleted = true;
      held.delete(deviceNo);
    },

    refreshApplication(appNo: number): void {
      const application = applications.byNo(appNo);
      if (!application) return;
      const { storeHistory, pushEnabled } = application;
      for (const { live } of held.values())
        if (live.appNo === appNo) Object.assign(live, { storeHistory, pushEnabled });
    },

    refreshProduct(productNo: number): void {
      const product = products.compiled(productNo);
      for (const { live } of held.values()) if (live.product?.product.no === productNo) live.product = product;
    },

    size: () => held.size,
  };
}
export type LiveDevices = ReturnType<typeof liveDevices>;
