import { Hono } from "hono";
import { z } from "zod";
import type { AccessTokens, Tokens } from "../../capabilities/applications/application";
import type { FrontEnv } from "../http/request-env";
import type { Endpoints } from "./endpoint";
import { text } from "./fields";

const Credentials = z.object({ appId: text(256, 1), secret: text(256, 1) });
const Refresh = Credentials.extend({ refreshToken: text(4_096, 1) });

export const AccessTokenResource = z.object({
  scope: z.literal("default"),
  tokenType: z.literal("Bearer "), // with its blank: clients join the two as they are
  expiresIn: z.number().int().meta({ description: "Seconds" }),
  accessToken: z.string(),
  refreshToken: z.string(),
});

/** 1.4.1, 1.4.2. The document has a form in one and JSON in the other; both take both. */
export function loginRoutes({ open }: Endpoints, tokens: Pick<AccessTokens, "login" | "refresh">) {
  const response = { status: 200, schema: AccessTokenResource } as const;
  return new Hono<FrontEnv>()
    .post(
      "/iocm/app/sec/v1.1.0/login",
      open("1.4.1", { body: Credentials, response }, async ({ appId, secret }) => ({
        status: 200,
        json: toResource(await tokens.login(appId, secret)),
      })),
    )
    .post(
      "/iocm/app/sec/v1.1.0/refreshToken",
      open("1.4.2", { body: Refresh, response }, async ({ appId, secret, refreshToken }) => ({
        status: 200,
        json: toResource(await tokens.refresh(appId, secret, refreshToken)),
      })),
    );
}

const toResource = ({ accessToken, refreshToken, expiresInS }: Tokens): z.infer<typeof AccessTokenResource> => ({
  scope: "default",
  tokenType: "Bearer ",
  expiresIn: expiresInS,
  accessToken,
  refreshToken,
});
