/** Pieces of a package over HTTP: a range of bytes each (RFC 9110 §14). */
import type { Piece } from "./piece-download";

export type HttpFailure = { readonly cause: "refused" | "connection" };
export type HttpOptions = {
  /** Bytes of a piece. */
  readonly pieceBytes: number;
  /** Of `Authorization: Bearer`; undefined: none. */
  readonly token: string | undefined;
  /** PEM of who may have signed the server's certificate; undefined: the system's authorities. */
  readonly ca?: string | undefined;
  readonly rejectUnauthorized?: boolean | undefined;
  readonly signal: AbortSignal;
};

/** Never rejects. `refused`: the server was heard, and does not give it. */
export async function fetchHttpPiece(
  url: string,
  offset: number,
  { pieceBytes, token, ca, rejectUnauthorized = true, signal }: HttpOptions,
): Promise<Piece | HttpFailure> {
  if (!URL.canParse(url)) return { cause: "refused" };
  try {
    const response = await fetch(url, {
      headers: {
        Range: `bytes=${offset}-${offset + pieceBytes - 1}`,
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      },
      signal,
      tls: { rejectUnauthorized, ...(ca !== undefined && { ca }) },
    });
    const tag = response.headers.get("etag") ?? undefined;
    if (response.status === 206) {
      const [, from, total] = /^bytes (\d+)-\d+\/(\d+)$/.exec(response.headers.get("content-range") ?? "") ?? [];
      const data = new Uint8Array(await response.arrayBuffer());
      if (Number(from) !== offset || data.length === 0) return { cause: "connection" };
      return { url, offset, data, isLast: offset + data.length >= Number(total), total: Number(total), tag };
    }
    if (response.status === 200) {
      // A server that knows no ranges: all of it, of which a part may be there already.
      const all = new Uint8Array(await response.arrayBuffer());
      return { url, offset, data: all.subarray(offset), isLast: true, total: all.length, tag };
    }
    await response.body?.cancel();
    return { cause: response.status >= 400 && response.status < 500 ? "refused" : "connection" };
  } catch {
    return { cause: "connection" };
  }
}
