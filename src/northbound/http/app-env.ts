/** What the shared server puts into the Hono context before a dialect sees the request. */
export type AppEnv = { Variables: { requestId?: string } };
