import type { Ids } from "../../platform/ids";
import type { EnclosedRow } from "../../platform/storage/storage-writer";
import type { LiveDevice } from "../devices/device";
import type { AcceptedReport, ReportNotifier } from "../telemetry/report";
import type { MessageIds } from "./message-ids";
import type { NotifyType, RenderNotification } from "./notification";
import { INSERT_OUTBOX, type OutboxRow, toInsertValues } from "./outbox";
import type { GiveUpReason } from "./push-log";
import { INSERT_DEAD_LETTER, toDeadLetterValues } from "./settlement";
import type { Recipient, SubscriptionIndex } from "./subscription-index";

type Parts = {
  index: SubscriptionIndex;
  render: RenderNotification;
  messageIds: MessageIds;
  requestIds: Ids;
  steadyNow: () => number;
  /** Why nothing can be queued for the address now. */
  refusal: (targetNo: number) => GiveUpReason | undefined;
  /** Of a row that is on disk. */
  committed: (row: OutboxRow) => void;
  refused: (targetNo: number, reason: GiveUpReason) => void;
};
type DataType = Extract<NotifyType, "deviceDataChanged" | "deviceDatasChanged">;

const NO_ROWS: readonly EnclosedRow[] = [];

/**
 * deviceDataChanged for each service of a report, deviceDatasChanged once for all of them; who subscribed both gets both
 * (platform.md 5). The API document ties the one to single and the other to several services; the FAQ shows a report of
 * one service coming under either name, and a subscriber of one type only must miss nothing.
 */
export function reportNotifier(parts: Parts): ReportNotifier {
  const { index, render, messageIds, requestIds, steadyNow, refusal, committed, refused } = parts;

  function enclose(device: LiveDevice, type: DataType, body: string, to: readonly Recipient[]): EnclosedRow[] {
    return to.map(({ targetNo, subscriptionNo }) => {
      const row: OutboxRow = {
        source: "telemetry",
        targetNo,
        id: messageIds.next(),
        subscriptionNo,
        type,
        orderKey: device.no,
        body,
        createdMs: steadyNow(),
        attempts: 0,
        retryMs: 0,
      };
      const reason = refusal(targetNo);
      if (!reason) return { sql: INSERT_OUTBOX, values: toInsertValues(row), committed: () => committed(row) };
      // Given up before it was queued; it can be replayed.
      const values = toDeadLetterValues(row, reason, steadyNow());
      return { sql: INSERT_DEAD_LETTER, values, committed: () => refused(targetNo, reason) };
    });
  }

  return {
    wants: ({ appNo, pushEnabled, storeHistory }) =>
      pushEnabled &&
      storeHistory &&
      index.recipients(appNo, "deviceDataChanged").length + index.recipients(appNo, "deviceDatasChanged").length > 0,

    rowsFor(device: LiveDevice, reports: readonly AcceptedReport[]): readonly EnclosedRow[] {
      if (!device.pushEnabled || !device.storeHistory || reports.length === 0) return NO_ROWS;
      const ofOne = index.recipients(device.appNo, "deviceDataChanged");
      const ofAll = index.recipients(device.appNo, "deviceDatasChanged");
      if (ofOne.length === 0 && ofAll.length === 0) return NO_ROWS;
      const requestId = requestIds.next();
      const rows: EnclosedRow[] = [];
      if (ofOne.length > 0)
        for (const report of reports) {
          const body = render({ type: "deviceDataChanged", device, requestId, reports: [report] });
          rows.push(...enclose(device, "deviceDataChanged", body, ofOne));
        }
      if (ofAll.length > 0) {
        const body = render({ type: "deviceDatasChanged", device, requestId, reports });
        rows.push(...enclose(device, "deviceDatasChanged", body, ofAll));
      }
      return rows;
    },
  };
}
