// Shows /api/openapi.json, and sends its calls. What comes from the server is put in as text, never as HTML.

const METHODS = ["get", "post", "put", "patch", "delete"];
const FORM = "application/x-www-form-urlencoded";
const MULTIPART = "multipart/form-data";
/** How many characters of an answer are shown. */
const SHOWN_MAX = 200_000;

/** An element with attributes, listeners (`on…`) and children; what is null or false is left out. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** Paragraphs, with what stands between backticks as code. */
function prose(text) {
  return (text ?? "").split(/\n\s*\n/).filter(Boolean).map((paragraph) =>
    element("p", {}, ...paragraph.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part))));
}

/** What a `$ref` stands for. */
function resolve(api, thing) {
  if (!thing?.$ref) return thing ?? {};
  const path = thing.$ref.slice(2).split("/").map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  return path.reduce((at, part) => at?.[part], api) ?? {};
}

const nameOf = (thing) => thing?.$ref?.split("/").pop();
const choices = (schema) => schema.oneOf ?? schema.anyOf;
const isNull = (schema) => schema.type === "null";
const typesOf = (schema) => [schema.type ?? []].flat();

/** A schema in a few words, such as `integer, 1 to 1000`. */
function inWords(api, given) {
  const schema = resolve(api, given);
  if (choices(schema)) return choices(schema).map((one) => (isNull(one) ? "null" : nameOf(one) ?? inWords(api, one))).join(" or ");
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ");
  if (nameOf(given)) return nameOf(given);
  const types = typesOf(schema).join(" or ") || "anything";
  const type = typesOf(schema).includes("array") ? types.replace("array", `array of ${inWords(api, schema.items)}`) : types;
  const bounds = (low, high, unit) => {
    if (low === undefined && high === undefined) return "";
    return low === undefined ? `, at most ${high}${unit}` : high === undefined ? `, at least ${low}${unit}` : `, ${low} to ${high}${unit}`;
  };
  return type + (schema.format && !/^u?int/.test(schema.format) ? ` (${schema.format})` : "")
    + bounds(schema.minimum, schema.maximum, "") + bounds(schema.minLength, schema.maxLength, " characters")
    + (schema.default === undefined ? "" : `, otherwise ${JSON.stringify(schema.default)}`);
}

/** The properties of a schema, and of what it is made of; null where it has none. */
function propertiesOf(api, given, depth = 0) {
  const schema = resolve(api, given);
  if (depth > 4) return null;
  if (typesOf(schema).includes("array")) return propertiesOf(api, schema.items, depth);
  const parts = [...(schema.allOf ?? []), ...(choices(schema) ?? [])].map((part) => propertiesOf(api, part, depth + 1));
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const required = schema.required?.includes(name);
    const about = resolve(api, property).description ?? property.description;
    return [
      element("dt", {}, element("code", {}, name), " ", element("small", {}, inWords(api, property), required ? "" : ", may be left out")),
      element("dd", {}, about ?? null, propertiesOf(api, property, depth + 1)),
    ];
  });
  const all = [parts.filter(Boolean), own.length ? element("dl", {}, own) : null].flat().filter(Boolean);
  return all.length === 0 ? null : all.length === 1 ? all[0] : element("div", {}, all);
}

/** A value that fits a schema. */
function exampleOf(api, given, depth = 0) {
  const schema = resolve(api, given);
  const example = given?.example ?? schema.example ?? schema.examples?.[0] ?? schema.default ?? schema.const ?? schema.enum?.[0];
  if (example !== undefined) return example;
  if (depth > 5) return null;
  const branch = choices(schema)?.find((one) => !isNull(one));
  if (branch) return exampleOf(api, branch, depth + 1);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((part) => exampleOf(api, part, depth + 1)));
  const type = typesOf(schema).find((one) => one !== "null");
  if (type === "object") {
    const wanted = Object.entries(schema.properties ?? {}).filter(([name]) => schema.required?.includes(name));
    return Object.fromEntries(wanted.map(([name, property]) => [name, exampleOf(api, property, depth + 1)]));
  }
  if (type === "array") return [exampleOf(api, schema.items, depth + 1)];
  if (type === "string") return schema.format === "date" ? new Date().toISOString().slice(0, 10) : "text";
  return { integer: 1, number: 1, boolean: true }[type] ?? null;
}

/** The headers and the content of an answer or a body. */
function shape(api, thing) {
  const headers = Object.entries(thing.headers ?? {}).filter(([name]) => name !== "X-Request-Id").flatMap(([name, header]) => [
    element("dt", {}, element("code", {}, name), element("small", {}, " header")),
    element("dd", {}, resolve(api, header).description ?? null),
  ]);
  const contents = Object.entries(thing.content ?? {}).map(([type, given]) => {
    const schema = resolve(api, given).schema;
    return element("div", {}, element("small", {}, type, schema ? `: ${inWords(api, schema)}` : ""), schema ? propertiesOf(api, schema) : null);
  });
  return [headers.length ? element("dl", {}, headers) : null, contents];
}

function answers(api, responses) {
  return Object.entries(responses).flatMap(([status, given]) => {
    const response = resolve(api, given);
    const isShared = Boolean(given.$ref);
    return [
      element("dt", {}, element("strong", {}, status), " ", ...prose(response.description).flatMap((p) => [...p.childNodes])),
      isShared ? null : element("dd", {}, shape(api, response)),
    ];
  });
}

/** One call: what is said of it, and a form to send it. */
function call(api, path, method, operation) {
  const parameters = (operation.parameters ?? []).map((parameter) => resolve(api, parameter));
  const body = operation.requestBody && resolve(api, operation.requestBody);
  const described = () => element("div", {},
    prose(operation.description),
    parameters.length ? [element("h4", {}, "Parameters"), element("dl", {}, parameters.flatMap((parameter) => [
      element("dt", {}, element("code", {}, parameter.name), " ",
        element("small", {}, `${parameter.in}, ${inWords(api, parameter.schema)}${parameter.required ? "" : ", may be left out"}`)),
      element("dd", {}, parameter.description ?? null),
    ]))] : null,
    body ? [element("h4", {}, "Body"), prose(body.description), shape(api, body)] : null,
    element("h4", {}, "Answers"), element("dl", {}, answers(api, operation.responses)),
    tryIt(api, path, method, parameters, body));
  const made = element("details", { class: "call", id: operation.operationId },
    element("summary", {}, element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("span", { class: "path" }, path), element("span", { class: "soft" }, operation.summary ?? "")));
  // Only what is opened is made: the page is there at once.
  made.addEventListener("toggle", () => made.open && made.childElementCount === 1 && made.append(described()));
  return made;
}

/** What a form says to send. */
function requestOf(path, method, parameters, inputs, body) {
  const headers = {}, query = new URLSearchParams();
  let url = path;
  for (const parameter of parameters) {
    const value = inputs.get(parameter.name).value.trim();
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(value));
    if (value === "" || parameter.in === "path") continue;
    if (parameter.in === "header") headers[parameter.name] = value;
    else if (parameter.schema?.type?.includes("array")) value.split(",").forEach((one) => query.append(parameter.name, one.trim()));
    else query.append(parameter.name, value);
  }
  const request = { url: url + (query.size ? `?${query}` : ""), method: method.toUpperCase(), headers, body: undefined, text: "" };
  if (body && body.type.value) {
    const type = body.type.value;
    request.text = body.text.value;
    if (type === FORM || type === MULTIPART) {
      const form = type === FORM ? new URLSearchParams() : new FormData();
      Object.entries(JSON.parse(request.text)).forEach(([name, value]) => form.append(name, value));
      request.body = form;
      request.text = form;
    } else {
      headers["Content-Type"] = type;
      request.body = request.text;
    }
  }
  return request;
}

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

function curlOf(request) {
  const parts = ["curl", "-i", quoted(new URL(request.url, location.href))];
  if (request.method !== "GET") parts.push("-X", request.method);
  for (const [name, value] of Object.entries(request.headers)) parts.push("-H", quoted(`${name}: ${value}`));
  if (request.body instanceof FormData) for (const [name, value] of request.body) parts.push("--form-string", quoted(`${name}=${value}`));
  else if (request.body !== undefined) parts.push("--data-binary", quoted(request.body));
  return parts.join(" ");
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Shows an answer while it comes, for some never end. */
async function show(response, output, head) {
  const decoder = new TextDecoder();
  let text = "";
  if (response.body) {
    for (const reader = response.body.getReader(); text.length < SHOWN_MAX; ) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      output.textContent = `${head}\n\n${text}`;
    }
  }
  const rest = text.length < SHOWN_MAX ? "" : "\n… and more";
  output.textContent = `${head}\n\n${pretty(text)}${rest}`;
}

function tryIt(api, path, method, parameters, body) {
  const inputs = new Map(parameters.map((parameter) => {
    const schema = resolve(api, parameter.schema);
    const hint = schema.type?.includes("array") ? "several with commas between" : "";
    return [parameter.name, element("input", { name: parameter.name, placeholder: hint, required: parameter.required ?? false, autocomplete: "off" })];
  }));
  let content = null;
  if (body) {
    const types = Object.keys(body.content);
    const type = element("select", { name: "content-type" }, types.map((one) => element("option", {}, one)));
    const text = element("textarea", { name: "body", spellcheck: "false", "aria-label": "Body" });
    const fill = () => {
      const example = exampleOf(api, body.content[type.value].schema);
      text.value = typeof example === "string" ? example : JSON.stringify(example, null, 2);
    };
    type.addEventListener("change", fill);
    fill();
    content = { type, text };
  }
  const curl = element("pre", { hidden: true, class: "curl" }), output = element("pre", { hidden: true, class: "answer", "aria-live": "polite" });
  const send = element("button", { type: "submit" }, "Send"), stop = element("button", { type: "button", hidden: true }, "Stop");
  let abort = null;
  stop.addEventListener("click", () => abort?.abort());
  const submit = async (event) => {
    event.preventDefault();
    abort?.abort();
    const mine = (abort = new AbortController());
    curl.hidden = output.hidden = stop.hidden = false;
    output.textContent = "…";
    try {
      const request = requestOf(path, method, parameters, inputs, content);
      curl.textContent = curlOf(request);
      const start = performance.now();
      const response = await fetch(request.url, { method: request.method, headers: request.headers, body: request.body, signal: mine.signal });
      const lines = [...response.headers].map(([name, value]) => `${name}: ${value}`);
      const head = [`${response.status} ${response.statusText} in ${Math.round(performance.now() - start)} ms`, ...lines].join("\n");
      await show(response, output, head);
    } catch (error) {
      output.textContent += mine.signal.aborted ? "\n(stopped)" : `\n${error}`;
    }
    if (abort === mine) stop.hidden = true;
  };
  return element("form", { onsubmit: submit }, element("h4", {}, "Try it"),
    [...inputs].map(([name, input]) => element("label", {}, name, input)),
    content && [element("label", {}, "Content-Type", content.type), content.text,
      element("small", {}, "A form is written as a JSON object here.")],
    element("div", {}, send, " ", stop), curl, output);
}

function start(api) {
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("introduction").replaceChildren(...prose(api.info.description));
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((one) => item[one])) {
      const tag = item[method].tags?.[0] ?? "";
      groups.set(tag, [...(groups.get(tag) ?? []), { path, method, operation: item[method] }]);
    }
  }
  const calls = document.getElementById("calls"), index = document.getElementById("index"), found = [];
  for (const [tag, entries] of groups) {
    const title = tag.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase());
    const section = element("section", {}, element("h2", {}, title)), list = element("ul");
    const heading = element("h2", {}, title);
    for (const { path, method, operation } of entries) {
      const shown = call(api, path, method, operation);
      const link = element("li", {}, element("a", { href: `#${operation.operationId}`, title: operation.summary },
        element("span", { class: `method ${method}` }, method.toUpperCase()), path.replace(/^\/api/, "")));
      const words = JSON.stringify([path, method, tag, operation.summary, operation.description, operation.parameters]).toLowerCase();
      found.push({ words, shown, link, section, heading });
      section.append(shown);
      list.append(link);
    }
    index.append(heading, list);
    calls.append(section);
  }
  const find = document.getElementById("find");
  find.addEventListener("input", () => {
    const wanted = find.value.toLowerCase().split(/\s+/);
    found.forEach((entry) => (entry.section.hidden = entry.heading.hidden = true));
    for (const entry of found) {
      const fits = wanted.every((word) => entry.words.includes(word));
      entry.shown.hidden = entry.link.hidden = !fits;
      if (fits) entry.section.hidden = entry.heading.hidden = false;
    }
  });
  const open = () => {
    const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (wanted?.matches("details")) {
      wanted.open = true;
      wanted.scrollIntoView();
    }
  };
  addEventListener("hashchange", open);
  open();
}

const state = document.getElementById("state");
try {
  const response = await fetch("/api/openapi.json");
  if (!response.ok) throw new Error(`openapi.json: ${response.status}`);
  start(await response.json());
  state.remove();
} catch (error) {
  state.textContent = `This page could not be made. ${error}`;
}
