import type { Database } from "bun:sqlite";
import type { AppId } from "../applications/application";
import type { NotifyType } from "./notification";
import type { Channel, Subscription, SubscriptionFilter, SubscriptionId } from "./subscription";

type SubscriptionRow = {
  no: number;
  id: SubscriptionId;
  app_no: number;
  app_id: AppId;
  owner_app_no: number;
  notify_type: NotifyType;
  channel: Channel;
  callback_url: string;
  target_no: number;
  created_ms: number;
  made_by_no: number | null;
};
export type StoredSubscription = Subscription & { readonly targetNo: number };
export type SubscriptionRepository = ReturnType<typeof subscriptionRepository>;

type Filter = {
  app_no: number;
  notify_type: string | null;
  callback_url: string | null;
  channel: string | null;
  /** JSON. */
  owner_app_nos: string | null;
};
const BELONGS = "($owner_app_nos IS NULL OR owner_app_no IN (SELECT value FROM json_each($owner_app_nos)))";
const MATCHES = `app_no = $app_no AND ($notify_type IS NULL OR notify_type = $notify_type)
  AND ($callback_url IS NULL OR callback_url = $callback_url) AND ($channel IS NULL OR channel = $channel)
  AND ${BELONGS}`;

/** Rows of `subscription` in registry.db. An application has few (one per type), so lists need no further index. */
export function subscriptionRepository(db: Database) {
  const insert = db.query<{ no: number }, Omit<SubscriptionRow, "no">>(
    `INSERT INTO subscription (id, app_no, app_id, owner_app_no, notify_type, channel, callback_url, target_no, created_ms,
       made_by_no)
     VALUES ($id, $app_no, $app_id, $owner_app_no, $notify_type, $channel, $callback_url, $target_no, $created_ms,
       $made_by_no)
     RETURNING no`,
  );
  const selectAll = db.query<SubscriptionRow, []>("SELECT * FROM subscription ORDER BY no");
  const selectOne = db.query<SubscriptionRow, Pick<Filter, "app_no" | "owner_app_nos"> & { id: string }>(
    `SELECT * FROM subscription WHERE id = $id AND app_no = $app_no AND ${BELONGS}`,
  );
  const selectSame = db.query<SubscriptionRow, [number, string, string, number]>(
    "SELECT * FROM subscription WHERE app_no = ? AND notify_type = ? AND channel = ? AND owner_app_no = ?",
  );
  const selectMatching = db.query<SubscriptionRow, Filter & { limit: number; offset: number }>(
    `SELECT * FROM subscription WHERE ${MATCHES} ORDER BY no LIMIT $limit OFFSET $offset`,
  );
  const countMatching = db.query<{ total: number }, Filter>(
    `SELECT count(*) AS total FROM subscription WHERE ${MATCHES}`,
  );
  const selectInvolved = db.query<SubscriptionRow, { no: number }>(
    "SELECT * FROM subscription WHERE app_no = $no OR owner_app_no = $no OR made_by_no = $no",
  );
  const selectMadeBy = db.query<SubscriptionRow, [number, number]>(
    "SELECT * FROM subscription WHERE app_no = ? AND made_by_no = ?",
  );
  const selectAddresses = db.query<{ callback_url: string }, [number]>(
    "SELECT DISTINCT callback_url FROM subscription WHERE owner_app_no = ? AND channel = 'HTTP'",
  );
  const move = db.query<null, [string, number, number]>(
    "UPDATE subscription SET callback_url = ?, target_no = ? WHERE no = ?",
  );
  const remove = db.query<null, [number]>("DELETE FROM subscription WHERE no = ?");

  const toFilter = (
    appNo: number,
    { notifyType, callbackUrl, ownerAppNos }: SubscriptionFilter,
    channel?: Channel,
  ): Filter => ({
    app_no: appNo,
    notify_type: notifyType ?? null,
    callback_url: callbackUrl ?? null,
    channel: channel ?? null,
    owner_app_nos: toJson(ownerAppNos),
  });

  return {
    add(subscription: Omit<StoredSubscription, "no">): StoredSubscription {
      const row = insert.get({
        id: subscription.id,
        app_no: subscription.appNo,
        app_id: subscription.appId,
        owner_app_no: subscription.ownerAppNo,
        notify_type: subscription.notifyType,
        channel: subscription.channel,
        callback_url: subscription.callbackUrl,
        target_no: subscription.targetNo,
        created_ms: subscription.createdAt,
        made_by_no: subscription.madeByNo === subscription.appNo ? null : subscription.madeByNo,
      });
      if (!row) throw new Error("subscription was not inserted");
      return { ...subscription, no: row.no };
    },
    all: () => selectAll.all().map(toSubscription),
    find(appNo: number, id: string, ownerAppNos?: readonly number[]): StoredSubscription | undefined {
      const row = selectOne.get({ app_no: appNo, id, owner_app_nos: toJson(ownerAppNos) });
      return row ? toSubscription(row) : undefined;
    },
    findSame(like: Pick<Subscription, "appNo" | "notifyType" | "channel" | "ownerAppNo">) {
      const row = selectSame.get(like.appNo, like.notifyType, like.channel, like.ownerAppNo);
      return row ? toSubscription(row) : undefined;
    },
    list: (appNo: number, filter: SubscriptionFilter, limit: number, offset: number, channel?: Channel) =>
      selectMatching.all({ ...toFilter(appNo, filter, channel), limit, offset }).map(toSubscription),
    count: (appNo: number, filter: SubscriptionFilter) => countMatching.get(toFilter(appNo, filter))?.total ?? 0,
    /** Its own, and those of others whose address belongs to it or that it has made. */
    involving: (appNo: number) => selectInvolved.all({ no: appNo }).map(toSubscription),
    /** What an authorised application has subscribed. */
    madeBy: (appNo: number, madeByNo: number) => selectMadeBy.all(appNo, madeByNo).map(toSubscription),
    move: (no: number, callbackUrl: string, targetNo: number) => void move.run(callbackUrl, targetNo, no),
    /** Callback URLs. */
    addressesOf: (ownerAppNo: number) => selectAddresses.all(ownerAppNo).map((row) => row.callback_url),
    remove(no: number): void {
      remove.run(no);
    },
  };
}

const toJson = (numbers: readonly number[] | undefined) => (numbers ? JSON.stringify(numbers) : null);

const toSubscription = (row: SubscriptionRow): StoredSubscription => ({
  no: row.no,
  id: row.id,
  appNo: row.app_no,
  appId: row.app_id,
  ownerAppNo: row.owner_app_no,
  madeByNo: row.made_by_no ?? row.app_no,
  notifyType: row.notify_type,
  callbackUrl: row.callback_url,
  channel: row.channel,
  targetNo: row.target_no,
  createdAt: row.created_ms,
});
