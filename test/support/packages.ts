import roomSensor from "../../docs/examples/room-sensor.json" with { type: "json" };
import smokeDetector from "../../docs/examples/smoke-detector.json" with { type: "json" };
import { KEYS, pemOf, sampleDesc, signed, zip } from "../../src/capabilities/packages/testing/archives";
import type { Answer, Setup } from "./api";
import { ADMIN_PASSWORD, type Islet } from "./islet";

/** What a package says of the product that it is for. */
export type PackageProduct = Readonly<Record<"manufacturerName" | "deviceType" | "model" | "protocolType", string>>;
function productOf({ devicetype }: { devicetype: { devices: PackageProduct[] } }): PackageProduct {
  const [device] = devicetype.devices;
  if (!device) throw new Error("the example has no device");
  const { manufacturerName, deviceType, model, protocolType } = device;
  return { manufacturerName, deviceType, model, protocolType };
}
/** Of the product that `setUp` imports: MQTT. */
export const SENSOR = productOf(roomSensor);
/** Of the product that `setUpNbIot` imports: LWM2M, software by PCP, firmware by object 5. Of the same manufacturer. */
export const DETECTOR = productOf(smokeDetector);

/** What an operator does with packages of one application: its manufacturer's key is there. */
export async function packageDesk(
  { ready }: Islet,
  { manage, appId }: Pick<Setup, "manage" | "appId">,
  pem = pemOf(KEYS["ecdsa-p256"].publicKey),
) {
  const base = `http://${ready.http}/manage/v1`;
  const signIn = await fetch(`${base}/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "admin", password: ADMIN_PASSWORD }),
  });
  const { token } = (await signIn.json()) as { token: string };
  const key = await manage("POST", `/apps/${appId}/public-keys`, {
    manufacturerName: SENSOR.manufacturerName,
    pem,
  });
  if (key.status !== 201) throw new Error(`public key: ${JSON.stringify(key)}`);
  return {
    token,
    url: `${base}/apps/${appId}/packages`,
    async upload(
      archive: Uint8Array,
      fields: Record<string, string>,
    ): Promise<Answer<{ fileId: string; code?: string }>> {
      const form = new FormData();
      for (const [name, value] of Object.entries(fields)) form.append(name, value);
      form.append("file", new File([Uint8Array.from(archive)], "package_signed.zip"));
      const response = await fetch(`${base}/apps/${appId}/packages`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}` },
        body: form,
      });
      return { status: response.status, body: (await response.json()) as { fileId: string } };
    },
  };
}

export const softwarePackage = (version: string, content: Uint8Array, product = SENSOR): Uint8Array =>
  zip({
    "DM/linux/UpgradeDesc.json": { ...sampleDesc(), ...product, version, fileName: "app.bin" },
    "linux/app.bin": content,
  });
export const signedSoftware = (version: string, content: Uint8Array, product = SENSOR) =>
  signed(softwarePackage(version, content, product));
/** Firmware says nothing of itself: see `firmwareFields`. */
export const signedFirmware = (content: Uint8Array) => signed(zip({ "fw.bin": content }));
export const firmwareFields = (version: string, product = SENSOR): Record<string, string> => ({
  ...{ fileType: "firmwarePackage", version, ...product },
});
