import type { LwM2mPath } from "../../wire/lwm2m";
import type { StoredRegistration } from "./registration-repository";

type Style = StoredRegistration["style"];

/** Object 19 of the platform (nb-iot.md 6.2): instance 0 is the way up, instance 1 the way down. */
export const UPLINK_PATH: LwM2mPath = [19, 0, 0];
export const DOWNLINK_PATH: LwM2mPath = [19, 1, 0];
const DATA_OBJECT = 19;

/** What codecs are told as the topic of a report. */
export const UPLINK_TOPIC: Record<Style, string> = { lwm2m: "/19/0/0", tup: "/t/d" };

/** Has the device the object that carries reports? Devices of the private dialect always have. */
export const hasDataObject = ({ style, objects }: Pick<StoredRegistration, "style" | "objects">): boolean =>
  style === "tup" || objects.some(({ objectId }) => objectId === DATA_OBJECT);
