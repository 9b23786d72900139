import { errors, jwtVerify, SignJWT } from "jose";
import type { Clock } from "../../platform/clock";

export type TokenUse = "access" | "refresh";
export type TokenClaims = {
  readonly appId: string;
  /** Of the application, at the time of issue. */
  readonly generation: number;
  readonly use: TokenUse;
  readonly expiresAt: number; // ms
};

const ALGORITHM = "HS256";
// The vendor's document promises at most 256 characters (1.4.1); ours have under 200. Clients may rely on it.
const LONGEST_TOKEN = 256;

/** Makes and reads our tokens: JWTs with `sub` (appId), `aud` (use), `gen`, `exp`. */
export function tokenSigner(key: Uint8Array, clock: Clock) {
  // Imported once: jose would import bytes again for every token.
  const imported = crypto.subtle.importKey("raw", new Uint8Array(key), { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
    "verify",
  ]);

  return {
    async sign({ appId, generation, use }: Omit<TokenClaims, "expiresAt">, validMs: number): Promise<string> {
      return new SignJWT({ gen: generation })
        .setProtectedHeader({ alg: ALGORITHM })
        .setSubject(appId)
        .setAudience(use)
        .setExpirationTime(Math.ceil((clock.now() + validMs) / 1_000)) // whole seconds; never shorter than promised
        .sign(await imported);
    },

    /** Undefined for whatever is not a valid, unexpired token of ours for this use. */
    async verify(token: string, use: TokenUse): Promise<TokenClaims | undefined> {
      if (token.length > LONGEST_TOKEN) return undefined;
      try {
        const { payload } = await jwtVerify<{ gen: number }>(token, await imported, {
          algorithms: [ALGORITHM],
          audience: use,
          currentDate: new Date(clock.now()),
          requiredClaims: ["sub", "exp", "gen"],
        });
        return { appId: payload.sub ?? "", generation: payload.gen, use, expiresAt: (payload.exp ?? 0) * 1_000 };
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}
