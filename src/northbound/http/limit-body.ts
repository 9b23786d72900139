import { DomainError } from "../../platform/domain-error";

/**
 * The request, or one whose body fails with PAYLOAD_TOO_LARGE as soon as it has gone over `maxBytes`.
 * Throws it at once when the length is announced: nothing is read then. (The HTTP parser holds a sender to its
 * Content-Length, so only a body without one has to be counted.)
 */
export function limitBody(request: Request, maxBytes: number): Request {
  if (request.headers.has("content-length")) {
    if (!(Number(request.headers.get("content-length")) <= maxBytes)) throw tooLarge(maxBytes);
    return request;
  }
  if (request.body === null) return request;
  let length = 0;
  const counted = request.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        length += chunk.length;
        if (length > maxBytes) controller.error(tooLarge(maxBytes));
        else controller.enqueue(chunk);
      },
    }),
  );
  return new Request(request.url, { method: request.method, headers: request.headers, body: counted });
}

const tooLarge = (maxBytes: number) => new DomainError("PAYLOAD_TOO_LARGE", { maxBytes });
