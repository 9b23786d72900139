/** Topic names and filters (MQTT 3.1.1 §4.7). */

const MAX_TOPIC_BYTES = 0xffff;
const SLASH = "/".charCodeAt(0);
const DOLLAR = "$".charCodeAt(0);
const PLUS = "+".charCodeAt(0);
const HASH = "#".charCodeAt(0);

/** What a message may be published to: no wildcards [MQTT-3.3.2-2]. */
export function isTopicName(text: string): boolean {
  return isTopic(text) && !text.includes("+") && !text.includes("#");
}

/** What may be subscribed to: `#` only as the last level, `+` and `#` only as a whole level [MQTT-4.7.1-2, 4.7.1-3]. */
export function isTopicFilter(text: string): boolean {
  if (!isTopic(text)) return false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char !== PLUS && char !== HASH) continue;
    const opensLevel = at === 0 || text.charCodeAt(at - 1) === SLASH;
    const endsText = at === text.length - 1;
    const endsLevel = endsText || (char === PLUS && text.charCodeAt(at + 1) === SLASH);
    if (!opensLevel || !endsLevel) return false;
  }
  return true;
}

export function hasWildcard(filter: string): boolean {
  return filter.includes("+") || filter.includes("#");
}

/** Both must be valid: a filter is checked when it is subscribed, a name when it is published. */
export function matches(filter: string, topic: string): boolean {
  const first = filter.charCodeAt(0);
  // [MQTT-4.7.2-1] A leading wildcard does not reach into $SYS and the like.
  if (topic.charCodeAt(0) === DOLLAR && (first === PLUS || first === HASH)) return false;
  let filterAt = 0;
  let topicAt = 0;
  for (;;) {
    const wanted = filter.charCodeAt(filterAt);
    if (wanted === HASH) return true;
    const filterEnd = levelEnd(filter, filterAt);
    const topicEnd = levelEnd(topic, topicAt);
    if (wanted !== PLUS && !isSameLevel(filter, filterAt, filterEnd, topic, topicAt, topicEnd)) return false;
    const filterIsDone = filterEnd === filter.length;
    // §4.7.1.2: "sport/#" matches "sport" too, the level above the wildcard.
    if (topicEnd === topic.length) return filterIsDone || filter.charCodeAt(filterEnd + 1) === HASH;
    if (filterIsDone) return false;
    filterAt = filterEnd + 1;
    topicAt = topicEnd + 1;
  }
}

/** [MQTT-4.7.3-1, 4.7.3-2, 4.7.3-3] */
function isTopic(text: string): boolean {
  if (text.length === 0 || text.includes("\0") || !text.isWellFormed()) return false;
  // Three bytes are the most that one UTF-16 unit takes, so most topics need no counting.
  return text.length * 3 <= MAX_TOPIC_BYTES || Buffer.byteLength(text) <= MAX_TOPIC_BYTES;
}

function levelEnd(text: string, start: number): number {
  const end = text.indexOf("/", start);
  return end === -1 ? text.length : end;
}

function isSameLevel(
  filter: string,
  filterAt: number,
  filterEnd: number,
  topic: string,
  topicAt: number,
  topicEnd: number,
): boolean {
  const length = filterEnd - filterAt;
  if (length !== topicEnd - topicAt) return false;
  for (let at = 0; at < length; at++) {
    if (filter.charCodeAt(filterAt + at) !== topic.charCodeAt(topicAt + at)) return false;
  }
  return true;
}
