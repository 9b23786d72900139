import roomSensor from "../../docs/examples/room-sensor.json" with { type: "json" };
import { KEYS, pemOf, sampleDesc, signed, zip } from "../../src/capabilities/packages/testing/archives";
import type { Answer, Setup } from "./api";
import { ADMIN_PASSWORD, type Islet } from "./islet";

const [
  { manufacturerName, deviceType, model, protocolType } = {
    manufacturerName: "",
    deviceType: "",
    model: "",
    protocolType: "",
  },
] = roomSensor.devicetype.devices;
/** Of the product that `setUp` imports. */
export const SENSOR = { manufacturerName, deviceType, model, protocolType: protocolType.toUpperCase() };

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
  const key = await manage("POST", `/apps/${appId}/public-keys`, { manufacturerName, pem });
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

export const softwarePackage = (version: string, content: Uint8Array): Uint8Array =>
  zip({
    "DM/linux/UpgradeDesc.json": { ...sampleDesc(), ...SENSOR, version, fileName: "app.bin" },
    "linux/app.bin": content,
  });
export const signedSoftware = (version: string, content: Uint8Array) => signed(softwarePackage(version, content));
