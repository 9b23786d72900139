import { Hono } from "hono";
import { z } from "zod";
import {
  EXECUTE_TYPES,
  type ExecuteType,
  OPERATION_ID_FORM,
  type PolicyProblem,
  SUB_TASK_STATUSES,
  TASK_STATUSES,
  type UpgradeKind,
  type UpgradePolicy,
  type UpgradeService,
  type UpgradeTargets,
} from "../../capabilities/upgrades/upgrade";
import { DomainError } from "../../platform/domain-error";
import { parseUtcTime } from "../../platform/utc-time";
import type { FrontEnv } from "../http/request-env";
import { list, paged } from "./answer-fields";
import type { Call, Endpoints } from "./endpoint";
import { boolean, integer, optional, text } from "./fields";
import { page, pageOf } from "./upgrade-page";
import { OPERATE_TYPES, OperationInfo, SubOperationInfo, toOperation, toSubOperation } from "./upgrade-resource";

const OPERATIONS = "/iodm/northbound/v1.5.0/operations";
const RETRY_INTERVAL_S = 120; // ota.md 11 #5: this API has no parameter for it
const MAX_NAMES = 10_000; // the service knows the limit, and has a row for it

const name = optional(text(256));
const Create = z.object({
  fileId: text(256, 1),
  targets: z.object({
    deviceGroups: optional(z.array(text(256, 1)).max(MAX_NAMES)),
    deviceType: name,
    model: name,
    manufacturerName: name,
    devices: optional(z.array(text(256, 1)).max(MAX_NAMES)),
  }),
  // Each of these has a row of its own for what is wrong with it.
  policy: optional(
    z.object({
      executeType: z.unknown().optional().meta({ description: "now (when it is left out), device_online or custom" }),
      startTime: z.unknown().optional().meta({ description: "of custom; UTC, not earlier than now" }),
      endTime: z.unknown().optional().meta({ description: "of custom; UTC, more than 5 minutes after startTime" }),
      retryType: optional(boolean()),
      retryTimes: z.unknown().optional().meta({ description: "1 to 5, with retryType true" }),
    }),
  ),
});
type Policy = z.infer<typeof Create>["policy"];

const SubOperations = z.object({ ...page, subOperationStatus: optional(z.enum(SUB_TASK_STATUSES)) });
const KINDS = Object.keys(OPERATE_TYPES) as UpgradeKind[];
const Operations = z.object({
  ...page,
  operationType: optional(z.enum(Object.values(OPERATE_TYPES))),
  operationStatus: optional(z.enum(TASK_STATUSES)),
  deviceType: name,
  model: name,
  manufacturerName: name,
  deviceId: name,
});

const RESPONSES = {
  created: { status: 200, schema: z.object({ operationId: z.string() }) },
  found: { status: 200, schema: OperationInfo },
  devices: { status: 200, schema: z.object({ ...paged, data: list(SubOperationInfo) }) },
  page: { status: 200, schema: z.object({ ...paged, data: list(OperationInfo) }) },
} as const;

/** 1.12.4 to 1.12.8: upgrades of the caller's own devices. */
export function upgradeRoutes(
  { call }: Endpoints,
  upgrades: Pick<UpgradeService, "create" | "get" | "list" | "subTasks">,
) {
  const create = (kind: UpgradeKind) => async (it: Call<unknown, z.infer<typeof Create>>) => {
    const { application, body } = it;
    const { fileId, targets, policy } = body;
    const task = await upgrades.create(application.no, {
      ...{ kind, packages: [fileId], targets: targetsOf(targets), policy: policyOf(policy) },
      ...{ operator: application.name, origin: "Northbound" },
    });
    return { status: 200, json: { operationId: task.id } } as const;
  };
  const find = ({ application, param }: Call<unknown, unknown>) => {
    const operationId = param("operationId");
    if (!OPERATION_ID_FORM.test(operationId))
      throw new DomainError("INPUT_INVALID", { issues: [{ field: "operationId", reason: "is no id of a task" }] });
    return upgrades.get(operationId, application.no);
  };

  return new Hono<FrontEnv>()
    .post(
      `${OPERATIONS}/softwareUpgrade`,
      call("1.12.4", { needs: "own", body: Create, response: RESPONSES.created }, create("software")),
    )
    .post(
      `${OPERATIONS}/firmwareUpgrade`,
      call("1.12.5", { needs: "own", body: Create, response: RESPONSES.created }, create("firmware")),
    )
    .get(
      `${OPERATIONS}/:operationId`,
      call("1.12.6", { needs: "own", response: RESPONSES.found }, (it) => ({
        status: 200,
        json: toOperation(find(it)),
      })),
    )
    .get(
      `${OPERATIONS}/:operationId/subOperations`,
      call("1.12.7", { needs: "own", query: SubOperations, response: RESPONSES.devices }, (it) => {
        const { subOperationStatus: status } = it.query;
        const { pageNo, pageSize } = pageOf(it.query);
        const { items, total } = upgrades.subTasks(find(it), { status }, pageNo, pageSize);
        return { status: 200, json: { data: items.map(toSubOperation), pageNo, pageSize, totalCount: total } };
      }),
    )
    .get(
      OPERATIONS,
      call("1.12.8", { needs: "own", query: Operations, response: RESPONSES.page }, ({ application, query }) => {
        const { operationType, operationStatus: status, deviceType, model, manufacturerName, deviceId } = query;
        const { pageNo, pageSize } = pageOf(query);
        const { items, total } = upgrades.list(
          {
            ...{ appNo: application.no, status, kind: KINDS.find((kind) => OPERATE_TYPES[kind] === operationType) },
            ...{ deviceType, model, manufacturerName, deviceId },
          },
          pageNo,
          pageSize,
        );
        return { status: 200, json: { data: items.map(toOperation), pageNo, pageSize, totalCount: total } };
      }),
    );
}

/** An empty list and an empty text say the same as none. */
function targetsOf({ devices, deviceGroups, ...names }: z.infer<typeof Create>["targets"]): UpgradeTargets {
  const some = (list: readonly string[] | undefined) => (list?.length === 0 ? undefined : list);
  return {
    devices: some(devices),
    deviceGroups: some(deviceGroups),
    deviceType: names.deviceType || undefined,
    model: names.model || undefined,
    manufacturerName: names.manufacturerName || undefined,
  };
}

/** Throws UPGRADE_POLICY_INVALID for what can be seen without looking at the clock. */
function policyOf(policy: Policy): UpgradePolicy {
  const executeType = executeTypeOf(policy);
  const window =
    executeType === "custom" ? { startAt: momentOf(policy, "startTime"), endAt: momentOf(policy, "endTime") } : {};
  const retryTimes = policy?.retryType ? retryTimesOf(policy.retryTimes) : 0;
  return { executeType, ...window, retryTimes, retryIntervalS: RETRY_INTERVAL_S, priority: 0 };
}

/** Left out: now. Given without a value, or with another one: refused. */
function executeTypeOf(policy: Policy): ExecuteType {
  if (policy?.executeType === undefined) return "now";
  return EXECUTE_TYPES.find((it) => it === policy.executeType) ?? invalid("executeTypeInvalid", "policy.executeType");
}

function momentOf(policy: Policy, field: "startTime" | "endTime"): number {
  const value = policy?.[field];
  return (typeof value === "string" ? parseUtcTime(value) : undefined) ?? invalid("windowInvalid", `policy.${field}`);
}

const Times = integer(1, 5);
function retryTimesOf(value: unknown): number {
  const parsed = Times.safeParse(value);
  return parsed.success ? parsed.data : invalid("retryTimesInvalid", "policy.retryTimes");
}

function invalid(problem: PolicyProblem, field: string): never {
  throw new DomainError("UPGRADE_POLICY_INVALID", { problem, field });
}
