/** Names that a field may not have: the keywords and literals of Java, and `type` (codec.md 8.5). */
export const JAVA_KEYWORDS: ReadonlySet<string> = new Set(
  `abstract assert boolean break byte case catch char class const continue default do double else enum extends final
   finally float for goto if implements import instanceof int interface long native new package private protected public
   return short static strictfp super switch synchronized this throw throws transient try void volatile while
   true false null type`.split(/\s+/),
);
