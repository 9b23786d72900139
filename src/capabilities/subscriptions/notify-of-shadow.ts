import type { Listenable } from "../../platform/events";
import type { ShadowEvents } from "../shadow/desired";
import type { Notify } from "./registry-notifier";

/** Turns what became of desired values into notifications (1.8.14), inside the transaction of the outcome. */
export function notifyOfShadow(shadow: Listenable<ShadowEvents>, notify: Notify): void {
  shadow.on("desiredSettled", ({ device: { no, id: deviceId, appNo }, serviceId, properties, status }) =>
    notify({ type: "deviceDesiredPropertiesModifyStatusChanged", deviceId, serviceId, properties, status }, appNo, {
      orderKey: no,
    }),
  );
}
