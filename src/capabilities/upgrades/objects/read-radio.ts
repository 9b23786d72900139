import type { ResourceLink } from "../../resources/resource-link";
import type { DeviceFact, StepOutcome } from "../upgrade-link";
import { numberOf, readNode, readNumber, resourcesOf, valuesOf } from "./read-resource";

const CONNECTIVITY = 4;
/** Of object 4, by the registry of OMA: 2 is RSRP or NRSRP in dBm, 8 the cell, 11 (from version 1.1 on) SINR in dB. */
const RSRP = 2;
const LINK_QUALITY = 3;
const CELL_ID = 8;
const SINR = 11;

export type RadioReading = {
  readonly outcome: StepOutcome;
  /** Undefined: the device did not answer. */
  readonly fact: Extract<DeviceFact, { type: "radio" | "noRadio" }> | undefined;
};

const UNKNOWN = { type: "radio", cellId: undefined, rsrp: undefined, sinr: undefined } as const;
const NOT_THERE: RadioReading = { outcome: "sent", fact: UNKNOWN };
const NO_WAY: RadioReading = { outcome: "sent", fact: { type: "noRadio" } };

/** Has it told, when it registered, that it has no such object? One that named none at all is asked. */
function lacksObject(link: ResourceLink | undefined, deviceNo: number): boolean {
  const registration = link?.registrationOf(deviceNo);
  if (!link || !registration) return true;
  const { objects } = registration;
  return objects.length > 0 && !objects.some(({ objectId }) => objectId === CONNECTIVITY);
}
/** The private dialect has no objects at all: there is nothing that could be asked. */
const hasNoObjects = (link: ResourceLink, deviceNo: number) => link.registrationOf(deviceNo)?.style === "tup";

/**
 * Cell, RSRP and SINR in one reading of /4/0 (nb-iot.md 6.2). Of a device without the object, or of the private dialect,
 * that is told at once, and nothing is sent.
 */
export async function readRadio(link: ResourceLink | undefined, deviceNo: number): Promise<RadioReading> {
  if (link && hasNoObjects(link, deviceNo)) return NO_WAY;
  if (!link || lacksObject(link, deviceNo)) return NOT_THERE;
  const reading = await readNode(link, deviceNo, [CONNECTIVITY, 0]);
  if (reading.kind === "failed") return NOT_THERE;
  if (reading.kind !== "value") return { outcome: reading.kind, fact: undefined };
  const resources = resourcesOf(reading.value);
  const first = (id: number) => {
    const [value] = valuesOf(resources, id);
    return value && numberOf(value);
  };
  // Before version 1.1 link quality is all that such a device can say of its signal's quality.
  const sinr = first(SINR) ?? first(LINK_QUALITY);
  return { outcome: "sent", fact: { type: "radio", cellId: first(CELL_ID), rsrp: first(RSRP), sinr } };
}

/** The cell alone, of a device that could not be asked for more (ota.md 7). */
export async function readCell(link: ResourceLink | undefined, deviceNo: number): Promise<RadioReading> {
  if (link && hasNoObjects(link, deviceNo)) return NO_WAY;
  if (!link || lacksObject(link, deviceNo)) return NOT_THERE;
  const reading = await readNumber(link, deviceNo, [CONNECTIVITY, 0, CELL_ID]);
  if (reading.kind === "failed") return NOT_THERE;
  if (reading.kind !== "value") return { outcome: reading.kind, fact: undefined };
  return { outcome: "sent", fact: { ...UNKNOWN, cellId: reading.value } };
}
