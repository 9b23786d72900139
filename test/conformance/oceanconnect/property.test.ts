import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { oceanConnectOpenApi } from "../../../src/northbound/oceanconnect";
import { harness } from "../../../src/northbound/oceanconnect/testing/harness";
import { fuzzSeed, Random } from "../../../src/wire/testing/random";
import { startCallbackReceiver } from "../../support/callback-receiver";
import { type Islet, startIslet, temporaryFolder } from "../../support/islet";
import { partsOf, type Schema } from "../../support/json-schema";
import { anything, type Mutation, mutate, mutateQuery, mutationsOf, queryMutations } from "../../support/mutations";
import { type Document, type Endpoint, undescribed, vendorOperations } from "../../support/open-api";
import { watchRegistry } from "../../support/registry-watch";
import {
  bodySchemaOf,
  type Request,
  RIGHT,
  renderUrl,
  rightCall,
  type World,
  worldOf,
} from "../../support/right-calls";
import { furnish, STILL_UPGRADES } from "../../support/walk";

setDefaultTimeout(120_000);

/** What the document of the vendor answers with a status of 500, although nothing is broken. */
const DOCUMENTED_500: Readonly<Record<string, string>> = {
  "100203": "the application that was named, or calls, does not exist",
  "100220": "app_key is missing",
  "100229": "app_key is missing (1.7.2)",
  "100412": "the application may have no more devices",
  "100441": "the application may have no more devices without security",
};
/** Requests of one operation that are wrong, or right, in several places at once. */
const ROUNDS = 25;

const MAX_HEAD = 15_000;

const SETTINGS = {
  "devices.online_grace_ms": "1",
  "attempts.free_failures": "1000000",
  "api.calls_per_minute": "1000000",
  "batch.max_unfinished": "1000",
  // Nothing changes by itself meanwhile.
  ...STILL_UPGRADES,
  ...{ "commands.answer_timeout_ms": "3600000", "commands.ack_timeout_ms": "3600000" },
};
const document = JSON.parse(JSON.stringify(oceanConnectOpenApi(harness().app))) as Document;
const ENDPOINTS = vendorOperations(document);

const folder = temporaryFolder();
const receiver = startCallbackReceiver();
let islet: Islet;
let world: World;
let registry: ReturnType<typeof watchRegistry>;
beforeAll(async () => {
  islet = await startIslet({ data: folder.path, settings: SETTINGS });
  world = await worldOf(islet, await furnish(islet, "Qprop", receiver.url("/Qprop")));
  registry = watchRegistry(folder.path);
});
afterAll(async () => {
  registry[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
  expect([await islet.stop(), islet.errors]).toEqual([0, ""]); // a fault would have been logged
  receiver[Symbol.dispose]();
  folder[Symbol.dispose]();
});

const counts = { accepted: 0, refused: 0 };
/** Sends it and checks what must hold for every request. Returns whether it was refused. */
async function check(
  endpoint: Endpoint,
  name: string,
  request: Request & { readonly text?: string },
  fits: boolean | undefined,
): Promise<boolean> {
  const url = renderUrl(request);
  if (url.length > MAX_HEAD) return true; // of which the HTTP server says 431, and nobody here hears
  const body = request.text ?? JSON.stringify(request.body);
  const answer = await fetch(`http://${islet.ready.http}${url}`, {
    ...{ method: request.method, headers: request.headers },
    ...(body !== undefined && { body }),
  });
  const { status } = answer;
  const text = await answer.text();
  const code = text.startsWith("{") ? (JSON.parse(text) as { error_code?: string }).error_code : undefined;
  const isRefused = code !== undefined || status >= 400;
  const mayChange = !isRefused && request.method !== "GET";
  const changed = mayChange ? [] : registry.changed();
  if (mayChange || changed.length > 0) await registry.accept();
  const wrong = [
    ...undescribed(document, endpoint.operation, status, text),
    ...(status < 500 || (code !== undefined && Object.hasOwn(DOCUMENTED_500, code)) ? [] : [`${status} is our fault`]),
    ...(fits === false && !isRefused ? ["is accepted, although its schema does not allow it"] : []),
    ...changed.map((table) => `${isRefused ? "is refused" : "reads"}, and changed ${table}`),
  ];
  if (wrong.length > 0) {
    expect({
      name,
      wrong,
      seed: fuzzSeed,
      method: request.method,
      url: url.slice(0, 300),
      body: body?.slice(0, 500),
      status,
      text: text.slice(0, 300),
    }).toEqual({} as never);
  }
  counts[isRefused ? "refused" : "accepted"]++;
  return isRefused;
}

/** Cut somewhere, one character other, or a piece twice. */
function scrambled(random: Random, text: string): string {
  const at = random.below(text.length);
  const other = random.oneOf(['"', "\\", "{", "]", "\0", "é", "\ud800", "1e999", "\u2028", "//"]);
  return random.oneOf([text.slice(0, at), text.slice(0, at) + other + text.slice(at + 1), text.slice(0, at) + text]);
}

type Change = { readonly name: string; readonly fits: boolean | undefined; readonly apply: (to: Request) => Request };
function changesOf({ operation }: Endpoint): Change[] {
  const schema = bodySchemaOf(operation);
  const inBody = schema ? [...mutationsOf(document, schema)] : [];
  const inQuery = (operation.parameters ?? [])
    .filter((it) => it.in === "query")
    .flatMap((it) => [...queryMutations(it.name, it.schema, it.required ?? false)]);
  const toChange = (mutation: Mutation, apply: Change["apply"]): Change => ({ ...mutation, apply });
  return [
    ...inBody.map((it) =>
      toChange(it, (to) => ({ ...to, body: mutate(document, schema as Schema, to.body, it) as Request["body"] })),
    ),
    ...inQuery.map((it) => toChange(it, (to) => ({ ...to, query: mutateQuery(to.query, it) }))),
  ];
}
const namesOf = (schema: Schema | undefined): string[] =>
  schema
    ? partsOf(document, schema).flatMap(({ properties }) =>
        Object.entries(properties ?? {}).flatMap(([name, inner]) => [name, ...namesOf(inner), ...namesOf(inner.items)]),
      )
    : [];

test.each(ENDPOINTS.map((it) => [`${it.method} ${it.path}`, it] as const))(
  `%s takes what its schema allows, and nothing else (FUZZ_SEED=${fuzzSeed})`,
  async (_name, endpoint) => {
    const random = new Random(fuzzSeed);
    const changes = changesOf(endpoint);
    let right: Request | undefined;
    /** What a request has used up is made anew. */
    const fresh = async () => {
      if (right) return right;
      right = await rightCall(document, endpoint, world);
      await registry.accept();
      return right;
    };
    const run = async (
      name: string,
      fits: boolean | undefined,
      apply: (to: Request) => Request & { readonly text?: string },
    ) => {
      const isRefused = await check(endpoint, name, apply(await fresh()), fits);
      if (!isRefused && endpoint.method !== "GET") right = undefined;
    };

    const { operationId } = endpoint.operation;
    const isRefused = await check(endpoint, "right", await fresh(), undefined);
    right = undefined;
    if (Object.hasOwn(RIGHT, operationId))
      expect({ operationId, isRefused }).toEqual({ operationId, isRefused: false });

    for (const { name, fits, apply } of changes) await run(name, fits, apply);
    for (let round = 0; round < ROUNDS && changes.length > 0; round++) {
      const several = random.list(4, () => random.oneOf(changes));
      const all = (to: Request) => several.reduce((it, { apply }) => apply(it), to);
      await run(several.map(({ name }) => name).join(" + "), undefined, all);
    }
    for (let round = 0; round < ROUNDS; round++) {
      await run("scrambled", undefined, (to) =>
        to.body === undefined
          ? { ...to, query: { ...to.query, [scrambled(random, "pageNo=0")]: scrambled(random, "%25&a=b#") } }
          : { ...to, text: scrambled(random, JSON.stringify(to.body)) },
      );
    }
    const schema = bodySchemaOf(endpoint.operation);
    const names = namesOf(schema);
    for (let round = 0; round < ROUNDS && schema; round++) {
      const made = anything(random, names);
      const isMixed = random.flip() && typeof made === "object" && !Array.isArray(made);
      await run("anything", undefined, (to) => ({
        ...to,
        body: (isMixed ? { ...to.body, ...made } : made) as Request["body"],
      }));
    }
  },
);

test("there were enough of both kinds", () => {
  console.log(counts);
  expect(counts.accepted).toBeGreaterThan(500);
  expect(counts.refused).toBeGreaterThan(2_000);
});
