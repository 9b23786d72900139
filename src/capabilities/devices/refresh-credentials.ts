import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Ids } from "../../platform/ids";
import type { Sealer } from "../../platform/secrets";
import type { ProductService } from "../products/product";
import {
  checkNodeId,
  checkSecret,
  checkVerifyCode,
  expiry,
  newSecret,
  newVerifyCode,
  secretContext,
} from "./credentials";
import type { DeviceCore } from "./device-core";
import { type ReadRow, textKey } from "./device-row";
import type { DeviceService } from "./device-service";
import { nextPresence } from "./status";

type Parts = {
  core: DeviceCore;
  products: Pick<ProductService, "compiled">;
  sealer: Sealer;
  ids: Ids;
  clock: Pick<Clock, "now">;
  disconnect: (deviceNo: number, reason: string) => void;
};

/** New credentials for a device that is there already (1.5.3 and the console). */
export function deviceCredentials({ core, products, sealer, ids, clock, disconnect }: Parts) {
  const { repository, transactor, settings } = core;

  const refreshCredentials: DeviceService["refreshCredentials"] = async (deviceNo, input) => {
    const verifyCode = checkVerifyCode(input.verifyCode ?? newVerifyCode(ids));
    const timeoutS = input.timeoutS ?? settings.refreshTimeoutS;
    const expiresAt = expiry(clock.now(), timeoutS);
    return transactor.write(() => {
      const row = core.row(deviceNo);
      if (row.activated === 0) throw new DomainError("DEVICE_NOT_ACTIVE", { deviceId: row.id });
      if (row.status === "ONLINE") throw new DomainError("DEVICE_ONLINE", { deviceId: row.id });
      const { status, detail } = nextPresence({ status: row.status, detail: row.status_detail }, { kind: "unbound" });
      repository.setCredentials({
        no: deviceNo,
        node_id: freeNodeId(row, input.nodeId),
        verify_key: freeVerifyKey(deviceNo, verifyCode),
        status,
        status_detail: detail,
        expires_at_ms: expiresAt,
        modified_at_ms: clock.now(),
      });
      transactor.afterCommit(() => disconnect(deviceNo, "new_credentials"));
      return { device: core.changed(deviceNo), verifyCode, timeoutS };
    });
  };

  const resetSecret: DeviceService["resetSecret"] = async (deviceNo, given) => {
    const secret = checkSecret(given ?? newSecret(ids));
    return transactor.write(() => {
      core.row(deviceNo);
      repository.setSecret(deviceNo, sealer.seal(secret, secretContext(deviceNo)));
      transactor.afterCommit(() => disconnect(deviceNo, "new_credentials"));
      return secret;
    });
  };

  function freeNodeId(row: ReadRow, given: string | undefined): string {
    if (given === undefined) return row.node_id;
    const product = row.product_no === null ? undefined : products.compiled(row.product_no)?.product;
    const nodeId = checkNodeId(given, product?.protocolType);
    const holder = repository.numberOfNodeId(nodeId);
    if (holder !== undefined && holder !== row.no) throw new DomainError("NODE_ID_TAKEN", { nodeId });
    return nodeId;
  }

  function freeVerifyKey(deviceNo: number, verifyCode: string): Uint8Array {
    const key = textKey(verifyCode);
    const holder = repository.numberOfVerifyKey(key);
    if (holder !== undefined && holder !== deviceNo)
      throw new DomainError("VERIFY_CODE_INVALID", { reason: "is taken" });
    return key;
  }

  return { refreshCredentials, resetSecret };
}
