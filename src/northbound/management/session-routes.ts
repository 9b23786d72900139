import { createRoute, z } from "@hono/zod-openapi";
import type { ManagementSessions } from "../../capabilities/applications/operators";
import { bearerToken } from "./authenticate";
import { done, json, jsonBody, problems, routes, Timestamp, toTimestamp } from "./routes";

const Credentials = z.strictObject({ username: z.string().min(1).max(256), password: z.string().min(1).max(1_024) });
const Session = z
  .object({ token: z.string().openapi({ description: "goes into Authorization: Bearer" }), expiresAt: Timestamp })
  .openapi("Session");

export const sessionRoutes = ({ sessions }: { sessions: ManagementSessions }) =>
  routes()
    .openapi(
      createRoute({
        method: "post",
        path: "/sessions",
        operationId: "signIn",
        tags: ["Sessions"],
        summary: "Sign in",
        security: [],
        request: { body: jsonBody(Credentials) },
        responses: { 201: json(Session, "Signed in"), ...problems(503) },
      }),
      async (c) => {
        const { username, password } = c.req.valid("json");
        const { token, expiresAt } = await sessions.signIn(username, password);
        return c.json({ token, expiresAt: toTimestamp(expiresAt) }, 201);
      },
    )
    .openapi(
      createRoute({
        method: "delete",
        path: "/sessions",
        operationId: "signOut",
        tags: ["Sessions"],
        summary: "Sign out: the token of this call is void",
        responses: { 204: done, ...problems() },
      }),
      async (c) => {
        await sessions.signOut(bearerToken(c.req.header("authorization")));
        return c.body(null, 204);
      },
    );
