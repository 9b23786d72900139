import type { NotifyType } from "./notification";

/**
 * Where an application finds its notifications when it takes them by MQTT: a topic for each type. The topic is the
 * address of the subscription, in the place of a callback URL. No appId has a character that means something in a topic.
 */
export const notificationTopic = (appId: string, type: NotifyType): string => `${notificationTopics(appId)}${type}`;

/** What all topics of an application begin with; nobody else's begin so. */
export const notificationTopics = (appId: string): string => `/islet/v1/applications/${appId}/notifications/`;

/** Callback URLs begin with their scheme, so the address says how it is reached. */
export const isTopicAddress = (address: string): boolean => address.startsWith("/");
