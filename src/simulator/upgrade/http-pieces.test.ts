import { afterAll, expect, test } from "bun:test";
import { fetchHttpPiece } from "./http-pieces";

const BODY = "0123456789";
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request) {
    const path = new URL(request.url).pathname;
    const range = request.headers.get("range");
    if (path === "/ranges" && range === "bytes=4-6")
      return new Response(BODY.slice(4, 7), { status: 206, headers: { "Content-Range": "bytes 4-6/10", ETag: '"e"' } });
    if (path === "/end") return new Response("9", { status: 206, headers: { "Content-Range": "bytes 9-9/10" } });
    if (path === "/wrong") return new Response("0", { status: 206, headers: { "Content-Range": "bytes 0-0/10" } });
    if (path === "/whole") return new Response(BODY);
    if (path === "/token")
      return new Response(BODY, { status: request.headers.get("authorization") === "Bearer t" ? 200 : 401 });
    return new Response("", { status: Number(path.slice(1)) });
  },
});
afterAll(() => server.stop(true));

const get = async (path: string, offset = 4, token?: string) => {
  const signal = new AbortController().signal;
  const piece = await fetchHttpPiece(`${server.url}${path}`, offset, { pieceBytes: 3, token, signal });
  return "cause" in piece ? piece.cause : { ...piece, url: undefined, data: Buffer.from(piece.data).toString() };
};

test("a range, and whose it is", async () => {
  expect(await get("ranges")).toMatchObject({ offset: 4, data: "456", isLast: false, total: 10, tag: '"e"' });
});
test("the last range", async () => expect(await get("end", 9)).toMatchObject({ data: "9", isLast: true }));
test("all of it, of which a part is there", async () => {
  expect(await get("whole")).toMatchObject({ offset: 4, data: "456789", isLast: true, total: 10 });
});
test("with its token", async () => {
  expect(await get("token", 0, "t")).toMatchObject({ data: BODY });
  expect(await get("token", 0, "x")).toBe("refused");
  expect(await get("token", 0)).toBe("refused");
});
test.each([
  ["404", "refused"],
  ["416", "refused"],
  ["500", "connection"],
  ["wrong", "connection"],
])("%s: %s", async (path, cause) => expect(await get(path)).toBe(cause as "refused"));
test("no server, no URL", async () => {
  const options = { pieceBytes: 3, token: undefined, signal: new AbortController().signal };
  const closed = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = closed;
  closed.stop(true);
  expect(await fetchHttpPiece(`http://127.0.0.1:${port}/p`, 0, options)).toEqual({ cause: "connection" });
  expect(await fetchHttpPiece("no url", 0, options)).toEqual({ cause: "refused" });
});
