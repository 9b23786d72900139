/** Pieces of a package over CoAP: blocks of Block2, each asked for by itself (RFC 7959 §2.4). */
import {
  BLOCK_SIZES,
  type BlockSize,
  CODES,
  type CoapMessage,
  decodeBlock,
  decodeUint,
  encodeBlock,
  OPTIONS,
  option,
} from "../../wire/coap";
import type { RequestResult } from "../coap-node";
import type { FetchFailure } from "./firmware-object";
import type { Piece } from "./piece-download";

export type FetchedPiece = Piece | { readonly cause: FetchFailure };
type Request = (message: Pick<CoapMessage, "code" | "options" | "payload">) => Promise<RequestResult>;

const NOTHING = new Uint8Array(0);

/** Never rejects. `size` is the most that is asked for; a server that sends smaller blocks is followed. */
export async function fetchCoapPiece(
  url: string,
  offset: number,
  size: BlockSize,
  request: Request,
): Promise<FetchedPiece> {
  const address = URL.canParse(url) ? new URL(url) : undefined;
  if (!address) return { cause: "uri" };
  const options = optionsOf(address);
  if (!options) return { cause: "uri" };
  const asked = BLOCK_SIZES.findLast((it) => it <= size && offset % it === 0);
  if (!asked) return { cause: "connection" };
  const block2 = option("block2", encodeBlock({ num: offset / asked, more: false, size: asked }));
  const result = await request({ code: CODES.get, options: [...options, block2], payload: NOTHING });
  if (result.kind !== "response") return { cause: "connection" };
  return pieceOf(url, offset, result.message);
}

function pieceOf(url: string, offset: number, { code, options, payload }: CoapMessage): FetchedPiece {
  if (code !== CODES.content) return { cause: code >> 5 === 4 ? "uri" : "connection" };
  const optionValue = (name: "block2" | "etag" | "size2") =>
    options.find(({ number }) => number === OPTIONS[name].number)?.value;
  const block2 = optionValue("block2");
  const size2 = optionValue("size2");
  const block = block2 && decodeBlock(decodeUint(block2));
  if (block2 && (!block || block.num * block.size !== offset)) return { cause: "connection" };
  if (!block2 && offset > 0) return { cause: "connection" };
  const tag = optionValue("etag")?.toHex();
  const total = size2 && size2.length <= 4 ? decodeUint(size2) : undefined;
  return { url, offset, data: payload.slice(), isLast: !block?.more, total, tag };
}

/** RFC 7252 §6.4, without Uri-Host and Uri-Port: the server is who the datagram goes to. Undefined: not encoded well. */
function optionsOf({ pathname, search }: URL) {
  try {
    const segments = pathname.split("/").slice(1).map(decodeURIComponent);
    const queries = search.slice(1) === "" ? [] : search.slice(1).split("&").map(decodeURIComponent);
    const path = segments.length === 1 && segments[0] === "" ? [] : segments.map((it) => option("uriPath", it));
    return [...path, ...queries.map((it) => option("uriQuery", it))];
  } catch (error) {
    if (error instanceof URIError || error instanceof RangeError) return undefined;
    throw error;
  }
}
