import type { FileHandle } from "node:fs/promises";
import type { DownloadTokens, PackageService, UpgradePackage } from "../../capabilities/packages/package";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import { parseRange, type Range } from "./byte-range";
import type { Mount } from "./http-front";
import { refuseMethod, renderProblem } from "./problem";
import type { RequestEnv } from "./request-env";

export type DownloadSettings = {
  readonly maxDownloads: number;
  readonly maxDownloadsPerToken: number;
  /** The runtime tells the length of an answer only when it has it whole; longer ones are chunked. */
  readonly maxWholeBytes: number;
  readonly downloadStallMs: number;
};
export const DOWNLOAD_DEFAULTS: DownloadSettings = {
  maxDownloads: 500,
  maxDownloadsPerToken: 4,
  maxWholeBytes: 1024 * 1024,
  downloadStallMs: 120_000,
};

type Parts = {
  readonly tokens: DownloadTokens;
  readonly packages: Pick<PackageService, "find">;
  readonly openContent: (it: Pick<UpgradePackage, "fileId">) => Promise<FileHandle>;
  readonly clock: Pick<Clock, "after">;
  readonly settings?: DownloadSettings;
};

const PATH = /^\/ota\/v1\/packages\/([^/]{1,256})$/;
const BEARER = /^Bearer +(\S{1,1024}) *$/i;
/** LwM2M devices get an address and nothing else (resource /5/0/1), so the token may stand in it. */
const tokenOf = (request: Request): string | undefined =>
  BEARER.exec(request.headers.get("authorization") ?? "")?.[1] ??
  new URL(request.url).searchParams.get("token")?.slice(0, 1_024) ??
  undefined;
const CHUNK_BYTES = 64 * 1024;
const LONGEST_LIMIT_S = 255;
const RETRY_AFTER_S = "30";

/** Where devices fetch the package of their upgrade by HTTP (ota.md 8.3): GET and HEAD, whole or a range, with its token. */
export function packageDownload({ tokens, packages, openContent, clock, settings = DOWNLOAD_DEFAULTS }: Parts): Mount {
  const underWay = new Map<string, number>(); // by token
  let total = 0;

  function take(token: string): () => void {
    const own = underWay.get(token) ?? 0;
    if (total >= settings.maxDownloads || own >= settings.maxDownloadsPerToken)
      throw new DomainError("CONGESTED", { reason: "too many downloads are under way" });
    total++;
    underWay.set(token, own + 1);
    let isBack = false;
    return () => {
      if (isBack) return;
      isBack = true;
      total--;
      const left = (underWay.get(token) ?? 1) - 1;
      if (left > 0) underWay.set(token, left);
      else underWay.delete(token);
    };
  }

  /** Throws NOT_FOUND, TOKEN_INVALID: also for a package that the token does not open, or that is not there. */
  function authorized(request: Request, path: string): { it: UpgradePackage; token: string } {
    const fileId = PATH.exec(path)?.[1];
    if (fileId === undefined) throw new DomainError("NOT_FOUND");
    const token = tokenOf(request);
    const opened = token === undefined ? undefined : tokens.authorizeDownload(token);
    const it = opened && packages.find(fileId);
    if (token === undefined || !it || it.no !== opened.no) throw new DomainError("TOKEN_INVALID");
    return { it, token };
  }

  async function download(request: Request, env: RequestEnv, path: string): Promise<Response> {
    const { it, token } = authorized(request, path);
    const etag = `"${it.sha256}"`;
    const headers: Record<string, string> = {
      "content-type": "application/octet-stream",
      ...{ "accept-ranges": "bytes", etag, "cache-control": "private, no-transform" },
      "content-disposition": `attachment; filename*=UTF-8''${encodeURIComponent(it.fileName)}`,
    };
    const ifRange = request.headers.get("if-range");
    const asked = ifRange === null || ifRange === etag ? parseRange(request.headers.get("range"), it.size) : undefined;
    if (asked === "unsatisfiable") {
      const response = new Response(null, {
        status: 416,
        headers: { ...headers, "content-range": `bytes */${it.size}` },
      });
      return response;
    }
    const { from, to }: Range = asked ?? { from: 0, to: it.size - 1 };
    const length = to - from + 1;
    const status = asked ? 206 : 200;
    if (asked) headers["content-range"] = `bytes ${from}-${to}/${it.size}`;
    if (request.method === "HEAD")
      return new Response(null, { status, headers: { ...headers, "content-length": String(length) } });
    const giveBack = take(token);
    try {
      const handle = await openContent(it);
      if (length <= settings.maxWholeBytes) {
        const bytes = await readWhole(handle, from, length).finally(() => handle.close());
        giveBack();
        env.setTimeLimit?.(LONGEST_LIMIT_S);
        return new Response(bytes, { status, headers });
      }
      headers.connection = "close"; // it has no time limit any more
      env.setTimeLimit?.(0);
      const onStall = () => env.setTimeLimit?.(1); // cuts the connection, which cancels the stream
      const body = streamOf({
        handle,
        from,
        length,
        clock,
        stallMs: settings.downloadStallMs,
        onStall,
        onEnd: giveBack,
      });
      return new Response(body, { status, headers });
    } catch (error) {
      giveBack();
      throw error;
    }
  }

  const fail = (error: unknown, { requestId }: RequestEnv, path: string): Response => {
    const response = renderProblem(error, { path, requestId });
    if (error instanceof DomainError && error.code === "CONGESTED") response.headers.set("retry-after", RETRY_AFTER_S);
    return response;
  };
  return {
    name: "ota",
    prefixes: ["ota"],
    fail,
    async fetch(request, env) {
      const path = new URL(request.url).pathname;
      try {
        if (PATH.test(path) && request.method !== "GET" && request.method !== "HEAD")
          return refuseMethod(["GET", "HEAD"], { path, requestId: env.requestId });
        return await download(request, env, path);
      } catch (error) {
        if (!(error instanceof DomainError)) env.reportFault(error);
        return fail(error, env, path);
      }
    },
  };
}

async function readWhole(handle: FileHandle, from: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await handle.read(bytes, done, length - done, from + done);
    if (bytesRead === 0) throw new Error("the content of a package is shorter than it was");
    done += bytesRead;
  }
  return bytes;
}

type Streamed = {
  handle: FileHandle;
  from: number;
  length: number;
  clock: Pick<Clock, "after">;
  stallMs: number;
  onStall: () => void;
  onEnd: () => void;
};

/** A chunk is read when the one before has gone, so that a slow device costs one chunk of memory. */
function streamOf({ handle, from, length, clock, stallMs, onStall, onEnd }: Streamed): ReadableStream<Uint8Array> {
  let at = 0;
  let stopWaiting = () => {};
  const end = async () => {
    stopWaiting();
    await handle.close().catch(() => {});
    onEnd();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        stopWaiting();
        try {
          const chunk = await readWhole(handle, from + at, Math.min(CHUNK_BYTES, length - at));
          at += chunk.length;
          controller.enqueue(chunk);
        } catch (error) {
          await end();
          return controller.error(error);
        }
        if (at < length) {
          stopWaiting = clock.after(stallMs, onStall);
          return;
        }
        await end();
        controller.close();
      },
      cancel: end,
    },
    { highWaterMark: 1 },
  );
}
