import { Hono } from "hono";
import { z } from "zod";
import type { AccessTokens, Tokens } from "../../capabilities/applications/application";
import { readFormOrJson } from "../http/form-body";
import { type BodyLimits, parseWith } from "../http/json-body";
import type { FrontEnv } from "../http/request-env";
import type { Answer, Endpoints } from "./endpoint";
import { text } from "./fields";

const Credentials = z.object({ appId: text(256, 1), secret: text(256, 1) });
const LOGIN_FIELDS = new Set(Object.keys(Credentials.shape));
const Refresh = Credentials.extend({ refreshToken: text(4_096, 1) });
const REFRESH_FIELDS = new Set(Object.keys(Refresh.shape));

/** 1.4.1, 1.4.2. The document has a form in one and JSON in the other; both take both. */
export function loginRoutes(
  endpoints: Endpoints,
  tokens: Pick<AccessTokens, "login" | "refresh">,
  bodyLimits: BodyLimits,
) {
  return new Hono<FrontEnv>()
    .post(
      "/iocm/app/sec/v1.1.0/login",
      endpoints.open("1.4.1", async (request) => {
        const body = await readFormOrJson(request, LOGIN_FIELDS, bodyLimits);
        const { appId, secret } = parseWith(Credentials, body);
        return toAnswer(await tokens.login(appId, secret));
      }),
    )
    .post(
      "/iocm/app/sec/v1.1.0/refreshToken",
      endpoints.open("1.4.2", async (request) => {
        const body = await readFormOrJson(request, REFRESH_FIELDS, bodyLimits);
        const { appId, secret, refreshToken } = parseWith(Refresh, body);
        return toAnswer(await tokens.refresh(appId, secret, refreshToken));
      }),
    );
}

const toAnswer = ({ accessToken, refreshToken, expiresInS }: Tokens): Answer => ({
  status: 200,
  json: {
    scope: "default",
    tokenType: "Bearer ", // with its blank: clients join the two as they are
    expiresIn: expiresInS,
    accessToken,
    refreshToken,
  },
});
