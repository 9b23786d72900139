import type { Database } from "bun:sqlite";
import { DomainError } from "../../platform/domain-error";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Tag } from "./device";
import { inputInvalid } from "./device-core";

/** A tag of an application (platform.md 11): what devices carry, and what an operator has defined for them to choose. */
export type KnownTag = {
  readonly tagName: string;
  readonly tagValue: string;
  /** How many devices carry it. */
  readonly devices: number;
  /** By an operator: stays when no device carries it. */
  readonly defined: boolean;
};
/** `value` undefined: any. */
export type TagFilter = { readonly name: string; readonly value?: string | undefined };

export interface Tags {
  /** By name and value. `page` counts from 0. */
  list(
    appNo: number,
    filter: { readonly name?: string | undefined; readonly value?: string | undefined },
    page: number,
    pageSize: number,
  ): { items: KnownTag[]; total: number };
  /** One that is defined already stays so. */
  define(appNo: number, tagName: string, tagValue: string): Promise<KnownTag>;
  /** Throws NOT_FOUND, and CONFLICT while devices carry it. */
  remove(appNo: number, tagName: string, tagValue: string): Promise<void>;
}

const ANY = "";

/** Each costs its rows in the tables of the search. Throws INPUT_INVALID. */
export function checkTags(tags: readonly Tag[] | undefined, maxTags: number): void {
  if (tags && tags.length > maxTags) throw inputInvalid("tags", `are more than ${maxTags}`);
}

type Row = { no: number; name: string; value: string; defined: number; devices: number };

/** The tables that triggers keep in step with the devices (0014-groups.sql). */
export function deviceTags(db: Database, transactor: Transactor) {
  const one = db.query<Row, [number, string, string]>("SELECT * FROM tag WHERE app_no = ? AND name = ? AND value = ?");
  const define = db.query<null, [number, string, string]>(
    "INSERT INTO tag (app_no, name, value, defined) VALUES (?, ?, ?, 1) ON CONFLICT DO UPDATE SET defined = 1",
  );
  const remove = db.query<null, [number]>("DELETE FROM tag WHERE no = ?");

  const tags: Tags = {
    list(appNo, { name, value }, page, pageSize) {
      const conditions: [sql: string, ...values: string[]][] = [];
      if (name !== undefined) conditions.push(["AND name = ?", name]);
      if (value !== undefined) conditions.push(["AND value = ?", value]);
      const matching = `FROM tag WHERE app_no = ? ${conditions.map(([sql]) => sql).join(" ")} AND value <> ''`;
      const bindings = [appNo, ...conditions.flatMap(([, ...values]) => values)];
      const rows = db
        .query<Row, (string | number)[]>(`SELECT * ${matching} ORDER BY name, value LIMIT ? OFFSET ?`)
        .all(...bindings, pageSize, page * pageSize);
      const total = db.query<{ total: number }, (string | number)[]>(`SELECT COUNT(*) AS total ${matching}`);
      return { items: rows.map(toTag), total: total.get(...bindings)?.total ?? 0 };
    },
    define: (appNo, name, value) =>
      transactor.write(() => {
        define.run(appNo, name, value);
        return toTag(one.get(appNo, name, value) as Row);
      }),
    remove: (appNo, name, value) =>
      transactor.write(() => {
        const row = value === ANY ? null : one.get(appNo, name, value);
        if (!row) throw new DomainError("NOT_FOUND", { tagName: name, tagValue: value });
        if (row.devices > 0)
          throw new DomainError("CONFLICT", { reason: "devices carry the tag", devices: row.devices });
        remove.run(row.no);
      }),
  };

  return {
    tags,
    /** For lists of devices. Undefined: no device of the application carries it. */
    find(appNo: number, { name, value = ANY }: TagFilter): { no: number; devices: number } | undefined {
      const row = one.get(appNo, name, value);
      return row && row.devices > 0 ? row : undefined;
    },
  };
}

const toTag = ({ name, value, devices, defined }: Row): KnownTag => ({
  tagName: name,
  tagValue: value,
  devices,
  defined: defined === 1,
});
