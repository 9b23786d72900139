/** The parts of an OpenAPI 3.1 document that the page shows. */
type Schema = Readonly<Record<string, unknown>>;
type Content = Readonly<Record<string, { readonly schema?: Schema }>>;
type Operation = {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses?: Readonly<Record<string, { readonly description: string; readonly content?: Content }>>;
};
type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
};
type OpenApiDocument = {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
};
type Listed = { readonly path: string; readonly method: string; readonly operation: Operation };

/** A readable page of the document: plain HTML without script, that needs nothing from any other host. */
export function docsPage(document: object): string {
  const { info, paths = {}, components } = document as OpenApiDocument;
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Listed => ({ path, method, operation })),
  );
  const groups = Map.groupBy(operations, ({ operation }) => operation.tags?.[0] ?? "Other");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(info.title)}</title><style>${STYLE}</style></head><body>
<nav>${[...groups.keys()].map((tag) => `<a href="#${anchor(tag)}">${escapeHtml(tag)}</a>`).join("")}<a href="#schemas">Schemas</a></nav>
<main><h1>${escapeHtml(info.title)} <small>${escapeHtml(info.version)}</small></h1>
<p>${escapeHtml(info.description ?? "")}</p><p>The document itself: <a href="openapi.json">openapi.json</a></p>
${[...groups].map(([tag, listed]) => `<h2 id="${anchor(tag)}">${escapeHtml(tag)}</h2>${listed.map(renderOperation).join("")}`).join("\n")}
<h2 id="schemas">Schemas</h2>
${Object.entries(components?.schemas ?? {})
  .map(([name, schema]) => `<h3 id="schema-${anchor(name)}">${escapeHtml(name)}</h3>${renderSchema(schema)}`)
  .join("\n")}
</main></body></html>
`;
}

function renderOperation({ path, method, operation }: Listed): string {
  const { operationId, summary = "", description, parameters = [], requestBody, responses = {} } = operation;
  const body = requestBody ? `<h4>Body</h4>${renderContent(requestBody.content)}` : "";
  const rows = Object.entries(responses).map(
    ([status, { description, content }]) =>
      `<tr><td><b>${escapeHtml(status)}</b></td><td>${escapeHtml(description)}</td><td>${content ? renderContent(content) : ""}</td></tr>`,
  );
  return `<details id="${anchor(operationId ?? `${method}-${path}`)}"><summary><b class="${escapeHtml(method)}">${escapeHtml(method.toUpperCase())}</b>
<code>${escapeHtml(path)}</code> <span>${escapeHtml(summary)}</span></summary>${description ? `<p>${escapeHtml(description)}</p>` : ""}
${parameters.length > 0 ? `<h4>Parameters</h4><table>${parameters.map(renderParameter).join("")}</table>` : ""}${body}
<h4>Answers</h4><table>${rows.join("")}</table></details>`;
}

const renderParameter = ({ name, in: where, required, description, schema = {} }: Parameter) =>
  `<tr><td><code>${escapeHtml(name)}</code>${required ? " *" : ""}</td><td>${escapeHtml(where)}</td><td>${typeOf(schema)}</td><td>${escapeHtml(description ?? "")}</td></tr>`;

const renderContent = (content: Content) =>
  Object.entries(content)
    .map(([type, { schema = {} }]) => `<div><small>${escapeHtml(type)}</small> ${renderSchema(schema)}</div>`)
    .join("");

/** Objects as a table of their properties, everything else as its type. References are links, so nothing repeats. */
function renderSchema(schema: Schema): string {
  const { allOf, properties, required } = schema;
  const parts = Array.isArray(allOf) ? (allOf as Schema[]).map(renderSchema).join("") : "";
  if (typeof properties !== "object" || properties === null) return parts || typeOf(schema);
  const needed = new Set(Array.isArray(required) ? required : []);
  const rows = Object.entries(properties as Record<string, Schema>).map(
    ([name, property]) =>
      `<tr><td><code>${escapeHtml(name)}</code>${needed.has(name) ? " *" : ""}</td><td>${typeOf(property)}</td><td>${escapeHtml(String(property.description ?? ""))}</td></tr>`,
  );
  return `${parts}<table>${rows.join("")}</table>`;
}

function typeOf(schema: Schema): string {
  const {
    $ref,
    const: only,
    enum: values = only === undefined ? undefined : [only],
    anyOf,
    oneOf,
    allOf,
    items,
    type,
    properties,
    additionalProperties,
  } = schema;
  if (typeof $ref === "string") {
    const name = $ref.slice($ref.lastIndexOf("/") + 1);
    return `<a href="#schema-${anchor(name)}">${escapeHtml(name)}</a>`;
  }
  const choices = anyOf ?? oneOf ?? allOf;
  if (Array.isArray(choices)) return (choices as Schema[]).map(typeOf).join(" or ");
  if (Array.isArray(values)) return values.map((value) => `<code>${escapeHtml(String(value))}</code>`).join(" | ");
  if (typeof items === "object" && items !== null) return `list of ${typeOf(items as Schema)}`;
  if (typeof properties === "object") return renderSchema(schema);
  if (typeof additionalProperties === "object" && additionalProperties !== null)
    return `map of ${typeOf(additionalProperties as Schema)}`;
  const name = Array.isArray(type) ? type.join(" or ") : String(type ?? "any value");
  return escapeHtml(
    [name, ...BOUNDS.flatMap(([key, text]) => (key in schema ? [`${text} ${schema[key]}`] : []))].join(", "),
  );
}
const BOUNDS = [
  ["format", "format"],
  ["minimum", "from"],
  ["maximum", "to"],
  ["minLength", "at least"],
  ["maxLength", "at most"],
  ["pattern", "pattern"],
  ["default", "default"],
  ["example", "for example"],
] as const;

const anchor = (text: string) => text.replace(/[^\w-]+/g, "-");
const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

const STYLE = `
:root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:0;display:flex}
nav{position:sticky;top:0;align-self:flex-start;padding:1.5rem;min-width:9rem}nav a{display:block;padding:.2rem 0}
main{padding:1rem 2rem 4rem;max-width:70rem;min-width:0;flex:1}h2{margin-top:2.5rem}h4{margin:.8rem 0 .2rem}
details{border:1px solid #8884;border-radius:6px;margin:.5rem 0;padding:.4rem .8rem}summary{cursor:pointer}
summary b{display:inline-block;min-width:4.5rem}summary span{opacity:.75}.get{color:#0a7d3c}.post{color:#1f6feb}
.patch,.put{color:#b07000}.delete{color:#c8362b}code{font-family:ui-monospace,monospace;font-size:.92em}
table{border-collapse:collapse;margin:.3rem 0}td{border-bottom:1px solid #8883;padding:.2rem .8rem .2rem 0;vertical-align:top}
small{opacity:.7}@media(max-width:50rem){body{display:block}}
`;
