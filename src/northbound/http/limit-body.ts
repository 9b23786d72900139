import { DomainError } from "../../platform/domain-error";

export type LimitedBody = {
  readonly request: Request;
  /** False while more of the body may come, without an end that is known: the connection cannot be used again. */
  readonly isBounded: () => boolean;
};

/**
 * The request, or one whose body fails with PAYLOAD_TOO_LARGE as soon as it has gone over `maxBytes`.
 * Throws it at once when the length is announced: nothing is read then. (The HTTP parser holds a sender to its
 * Content-Length, so only a body without one has to be counted.)
 */
export function limitBody(request: Request, maxBytes: number): LimitedBody {
  if (request.headers.has("content-length")) {
    if (!(Number(request.headers.get("content-length")) <= maxBytes)) throw tooLarge(maxBytes);
    return { request, isBounded: () => true };
  }
  if (request.body === null) return { request, isBounded: () => true };
  let length = 0;
  let ended = false;
  const counted = request.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        length += chunk.length;
        if (length > maxBytes) controller.error(tooLarge(maxBytes));
        else controller.enqueue(chunk);
      },
      flush() {
        ended = true;
      },
    }),
  );
  const { url, method, headers } = request;
  return { request: new Request(url, { method, headers, body: counted }), isBounded: () => ended };
}

const tooLarge = (maxBytes: number) => new DomainError("PAYLOAD_TOO_LARGE", { maxBytes });
