import { NOTIFY_TYPES } from "../../../capabilities/subscriptions/notification";
import { notificationTopics } from "../../../capabilities/subscriptions/notification-topic";

const KNOWN: ReadonlySet<string> = new Set(["#", "+", ...NOTIFY_TYPES]);

/** All of an application's own topics, or the one of a type. Every other filter would reach nothing, or others' topics. */
export function isOwnFilter(appId: string, filter: string): boolean {
  const own = notificationTopics(appId);
  return filter.startsWith(own) && KNOWN.has(filter.slice(own.length));
}

/** Whether filters of that form reach a topic of the application. */
export function reaches(filters: ReadonlySet<string>, appId: string, topic: string): boolean {
  const own = notificationTopics(appId);
  return topic.startsWith(own) && (filters.has(topic) || filters.has(`${own}#`) || filters.has(`${own}+`));
}
