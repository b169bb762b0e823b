// Draws the contract from openapi.json and asyncapi.json, and tries it against this server. No library, no network
// but this server's; everything is written as text, never as markup.
import { connect } from "./socket.js";

const $ = (id) => document.getElementById(id);
const METHODS = ["get", "post", "put", "patch", "delete"];
/** Events shown at most; the oldest go. */
const KEPT = 200;

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** Text in which `code` is marked as in Markdown. */
function prose(text = "") {
  return text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

const pretty = (value) => JSON.stringify(value, null, 2);
const nameOf = (reference) => reference.slice(reference.lastIndexOf("/") + 1);

/** A schema as a short type, for people. */
function typeOf(schema = {}) {
  if (schema.$ref) return nameOf(schema.$ref);
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const several = schema.oneOf ?? schema.anyOf;
  if (several) return several.map(typeOf).join(" | ");
  const kind = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type;
  if (schema.type === "array") return `${typeOf(schema.items)}[]`;
  if (schema.type === "object" && schema.additionalProperties) return `{[name]: ${typeOf(schema.additionalProperties)}}`;
  return kind ?? "any JSON";
}

function bounds(schema = {}) {
  const parts = [];
  if (schema.minLength || schema.maxLength) parts.push(`${schema.minLength ?? 0} to ${schema.maxLength} characters`);
  if (schema.minimum !== undefined) parts.push(`${schema.minimum} to ${schema.maximum}`);
  if (schema.maxItems) parts.push(`at most ${schema.maxItems}`);
  return parts.join(", ");
}

/** A schema's fields as a table; the schemas in it open inside. */
function schemaView(schema, schemas, seen = []) {
  if (schema.$ref) {
    const name = nameOf(schema.$ref);
    if (seen.includes(name)) return make("code", {}, name);
    return schemaView(schemas[name], schemas, [...seen, name]);
  }
  if (!schema.properties) return make("code", {}, typeOf(schema));
  const rows = Object.entries(schema.properties).map(([name, field]) => {
    const inner = [field, field.items, field.additionalProperties, ...(field.anyOf ?? [])].find((item) => item?.$ref);
    const more = inner && make("details", {}, make("summary", {}, nameOf(inner.$ref)));
    more?.addEventListener("toggle", () => more.append(schemaView(inner, schemas, seen)), { once: true });
    return make("tr", {},
      make("td", {}, make("code", {}, name), (schema.required ?? []).includes(name) ? "" : "?"),
      make("td", {}, make("code", {}, typeOf(field))),
      make("td", {}, ...prose(field.description), make("div", { class: "muted" }, bounds(field)), more));
  });
  return make("table", {}, ...rows);
}

function folded(title, build) {
  const details = make("details", {}, make("summary", {}, title));
  details.addEventListener("toggle", () => details.append(build()), { once: true });
  return details;
}

async function send(url, options, output) {
  output.textContent = "…";
  const started = performance.now();
  try {
    const response = await fetch(url, options);
    const text = await response.text();
    const took = Math.round(performance.now() - started);
    const shown = ["etag", "location", "retry-after", "x-request-id", "allow"]
      .filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
    let body = text;
    try { body = pretty(JSON.parse(text)); } catch { /* not JSON: as it came */ }
    output.textContent = [`${response.status} ${response.statusText} (${took} ms)`, ...shown, "", body].join("\n");
  } catch (error) {
    output.textContent = String(error);
  }
}

function operationView(path, method, operation, document_) {
  const inputs = (operation.parameters ?? []).map((parameter) => {
    const id = `${operation.operationId}-${parameter.in}-${parameter.name}`;
    const input = make("input", { id, value: parameter.in === "path" ? parameter.example : undefined,
      placeholder: parameter.schema?.default });
    return { parameter, id, input };
  });
  const content = operation.requestBody?.content ?? {};
  const [media, sample] = Object.entries(content)[0] ?? [];
  const body = media && make("textarea", { spellcheck: "false", "aria-label": "Body" });
  if (body) body.value = typeof sample.example === "string" ? sample.example : pretty(sample.example);
  const output = make("pre", { "aria-live": "polite", hidden: true });
  const button = make("button", { type: "button" }, "Send");
  button.addEventListener("click", () => {
    const headers = { Authorization: `Bearer ${$("token").value.trim()}` };
    const query = new URLSearchParams();
    let target = path;
    for (const { parameter, input } of inputs) {
      const value = input.value;
      if (parameter.in === "path") target = target.replace(`{${parameter.name}}`, encodeURIComponent(value));
      else if (value && parameter.in === "query") query.set(parameter.name, value);
      else if (value && parameter.in === "header") headers[parameter.name] = value;
    }
    if (media) headers["Content-Type"] = media;
    output.hidden = false;
    const url = query.size ? `${target}?${query}` : target;
    send(url, { method: method.toUpperCase(), headers, body: body?.value || undefined }, output);
  });
  const answers = Object.entries(operation.responses).map(([status, answer]) => make("tr", {},
    make("td", {}, make("code", {}, status)), make("td", {}, ...prose(answer.description))));
  const success = Object.values(operation.responses)[0].content?.["application/json"]?.schema;
  const schemas = document_.components.schemas;
  return make("details", { id: operation.operationId },
    make("summary", {}, make("span", { class: "method" }, method.toUpperCase()), make("code", {}, path), " ",
      operation.summary),
    make("p", {}, ...prose(operation.description)),
    make("table", {}, ...inputs.map(({ parameter, id, input }) => make("tr", {},
      make("td", {}, make("label", { for: id }, make("code", {}, parameter.name)), parameter.required ? "" : "?"),
      make("td", {}, input),
      make("td", {}, ...prose(parameter.description), make("div", { class: "muted" }, `${parameter.in}, `,
        typeOf(parameter.schema)))))),
    body,
    make("p", {}, button),
    output,
    media && folded("Body", () => schemaView(sample.schema, schemas)),
    success && folded("Answer", () => schemaView(success, schemas)),
    folded("Statuses", () => make("table", {}, ...answers)));
}

function drawHttp(document_) {
  $("http-about").append(...prose(document_.info.description));
  for (const tag of document_.tags) {
    $("operations").append(make("h3", {}, tag.name), make("p", {}, tag.description));
    for (const [path, item] of Object.entries(document_.paths)) {
      for (const method of METHODS) {
        if (item[method]?.tags.includes(tag.name)) {
          $("operations").append(operationView(path, method, item[method], document_));
        }
      }
    }
  }
  const rows = document_["x-errors"].map((error) => make("tr", { id: `error-${error.code}` },
    make("td", {}, make("code", {}, error.code)), make("td", {}, String(error.status)), make("td", {}, error.title),
    make("td", {}, error.retryable ? "may succeed later" : "")));
  $("error-table").append(make("tr", {}, ...["code", "status", "meaning", ""].map((text) => make("th", {}, text))), ...rows);
}

let socket = null;

function received(name, payload) {
  const list = $("received");
  list.prepend(make("li", {}, make("code", {}, `${name} ${payload?.message_type ?? ""}`), make("pre", {}, pretty(payload))));
  while (list.children.length > KEPT) list.lastChild.remove();
}

function toggleConnection() {
  if (socket) {
    socket.close();
    return;
  }
  const url = `${location.origin.replace(/^http/, "ws")}/socket.io/`;
  socket = connect(url, "/collaboration", { token: $("token").value.trim() }, {
    state: (text) => { $("connection").textContent = text; },
    event: received,
    closed: (reason) => {
      socket = null;
      $("connect").textContent = "Connect";
      $("connection").textContent = `not connected: ${reason}`;
    },
  });
  $("connect").textContent = "Disconnect";
}

function eventView(name, message, ack, document_) {
  const schemas = document_.components.schemas;
  const body = make("textarea", { spellcheck: "false", "aria-label": `What ${name} sends` });
  body.value = pretty(message.examples?.[0]?.payload ?? {});
  const output = make("pre", { "aria-live": "polite", hidden: true });
  const button = make("button", { type: "button" }, "Send");
  button.addEventListener("click", async () => {
    output.hidden = false;
    try {
      if (!socket) throw new Error("connect first");
      output.textContent = "…";
      output.textContent = pretty(await socket.emit(name, JSON.parse(body.value)));
    } catch (error) {
      output.textContent = String(error);
    }
  });
  return make("details", {},
    make("summary", {}, make("code", {}, name), " ", ...prose(message.summary)),
    body, make("p", {}, button), output,
    folded("Fields", () => schemaView(message.payload, schemas)),
    ack && folded("Acknowledgement", () => schemaView(ack.payload, schemas)));
}

function drawSocket(document_) {
  $("socket-about").append(...prose(document_.info.description));
  $("connect").addEventListener("click", toggleConnection);
  const messages = document_.components.messages;
  const find = (reference) => messages[nameOf(reference.$ref).replaceAll(".", "__")];
  for (const operation of Object.values(document_.operations)) {
    if (operation.action === "receive") {
      const message = find(operation.messages[0]);
      const replies = operation.reply.messages;
      $("events").append(eventView(message.name, message, replies.length === 2 ? find(replies[0]) : null, document_));
    } else {
      for (const reference of operation.messages) {
        const message = find(reference);
        $("broadcasts").append(make("details", {},
          make("summary", {}, make("code", {}, message.title), " ", message.summary),
          schemaView(message.payload, document_.components.schemas)));
      }
    }
  }
}

async function load(name) {
  const response = await fetch(name);
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response.json();
}

const [openapi, asyncapi] = await Promise.all([load("/api/openapi.json"), load("/api/asyncapi.json")]);
drawHttp(openapi);
drawSocket(asyncapi);
const wanted = location.hash && $(location.hash.slice(1));
if (wanted) {
  if (wanted.tagName === "DETAILS") wanted.open = true;
  wanted.scrollIntoView();
}
