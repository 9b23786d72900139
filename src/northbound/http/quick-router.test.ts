import { expect, test } from "bun:test";
import { Hono } from "hono";
import { quickRouter } from "./quick-router";

const ODD = "/a/b/:id";
const app = new Hono({ router: quickRouter((path) => path === ODD) })
  .get("/a/:id", (c) => c.text(`one ${c.req.param("id")}`))
  .put("/a/:id", (c) => c.text("changed"))
  .get(ODD, (c) => c.text(`odd ${c.req.param("id")}`))
  .get("/a", (c) => c.text("list"));

test.each([
  ["GET", "/a", "list"],
  ["GET", "/a/7", "one 7"],
  ["GET", "/a/b", "one b"],
  ["PUT", "/a/7", "changed"],
  ["GET", "/a/b/7", "odd 7"],
  ["GET", "/a/b/x%2Fy", "odd x/y"],
  ["PUT", "/a/b/7", "404 Not Found"],
  ["GET", "/a/c/7", "404 Not Found"],
  ["GET", "/a/", "404 Not Found"],
])("%s %s: %s", async (method, path, answer) => {
  expect(await (await app.request(path, { method })).text()).toBe(answer);
});
