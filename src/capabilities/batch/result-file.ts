import type { Sealer } from "../../platform/secrets";
import { renderCsvRow } from "./csv";
import type { ItemRepository } from "./item-repository";
import { type MadeCredentials, sealContext } from "./start-items";
import type { Item, Task } from "./task";

const COLUMNS = ["nodeId", "status", "deviceId", "secret", "psk", "verifyCode", "error", "errorDetail"];
const ROWS = 200; // of one step

/** The rows of a registration with what became of them (console C-084); a text a step. Credentials are those of the registration. */
export function* resultFile(
  task: Task,
  items: Pick<ItemRepository, "from">,
  sealer: Pick<Sealer, "open">,
): Generator<string> {
  yield renderCsvRow(COLUMNS);
  let pos = 0;
  for (;;) {
    const rows = items.from(task.no, pos, ROWS);
    const last = rows.at(-1);
    if (!last) return;
    yield rows.map(({ item, sealed }) => renderItem(item, sealed, sealer)).join("");
    pos = last.item.pos + 1;
  }
}

function renderItem(item: Item, sealed: Uint8Array | undefined, sealer: Pick<Sealer, "open">): string {
  const { target, state, deviceId, error } = item;
  // Until then it holds what is to be registered.
  const made: MadeCredentials =
    state === "Success" && sealed ? JSON.parse(sealer.open(sealed, sealContext(item.taskNo, item.pos))) : {};
  const detail = error?.details && JSON.stringify(error.details);
  return renderCsvRow([target, state, deviceId, made.secret, made.psk, made.verifyCode, error?.code, detail]);
}
