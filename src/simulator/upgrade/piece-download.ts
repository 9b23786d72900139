/** A package that a device fetches piece by piece, in order, from where it is. Pure. */
export type PieceDownload = {
  readonly url: string;
  /** Bytes that are there. */
  readonly received: number;
  readonly total: number | undefined;
  /** Of the representation that the pieces are of; another one means another package (ota.md 8.4). */
  readonly tag: string | undefined;
};

export type Piece = {
  /** What it was asked with. */
  readonly url: string;
  readonly offset: number;
  readonly data: Uint8Array;
  readonly isLast: boolean;
  readonly total: number | undefined;
  readonly tag: string | undefined;
};

export type PieceVerdict =
  | { readonly kind: "taken"; readonly download: PieceDownload; readonly isWhole: boolean }
  /** Of another package than the pieces before: all is to be dropped, and asked for anew. */
  | { readonly kind: "changed"; readonly download: PieceDownload }
  /** Not what was asked for last. */
  | { readonly kind: "late" };

export const beginPieces = (url: string): PieceDownload => ({ url, received: 0, total: undefined, tag: undefined });

export function takePiece(from: PieceDownload, piece: Piece): PieceVerdict {
  if (piece.url !== from.url || piece.offset !== from.received) return { kind: "late" };
  if (from.received > 0 && piece.tag !== from.tag) return { kind: "changed", download: beginPieces(from.url) };
  const received = from.received + piece.data.length;
  const { tag, total = from.total } = piece;
  return { kind: "taken", download: { ...from, received, tag, total }, isWhole: piece.isLast };
}

/** At the first piece, if nobody told how many bytes there are. */
export const isHalfThere = ({ received, total = 0 }: PieceDownload): boolean => received * 2 >= total;
