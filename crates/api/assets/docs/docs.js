// Shows /api/openapi.json, and sends its calls. What comes from the server is put in as text, never as HTML.
//
// In another language than English, a text is looked up in that language's file, a paragraph at a time.

const METHODS = ["get", "post", "put", "patch", "delete"];
const FORM = "application/x-www-form-urlencoded";
const MULTIPART = "multipart/form-data";
/** How many characters of an answer are shown. */
const SHOWN_MAX = 200_000;

const LANGUAGES = ["en", "zh-CN"];
/** Where the choice of a language is kept. */
const CHOSEN = "logmon.docs.language";

/** Texts by their English ones; null in English. */
let texts = null;

/** A text in the reader's language, with values in the place of what stands in braces. */
function t(text, values = {}) {
  const found = texts?.[text.trim().replace(/\s+/g, " ")] ?? texts?.[text] ?? text;
  return Object.entries(values).reduce((said, [name, value]) => said.replace(`{${name}}`, () => value), found);
}

/** The reader's language: what was chosen, else what the browser says. */
function language() {
  const wanted = localStorage.getItem(CHOSEN) ?? navigator.languages.find((one) => /^(en|zh)\b/.test(one)) ?? "en";
  return wanted.startsWith("zh") ? "zh-CN" : "en";
}

async function read(url) {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response.json();
}

/** An element with attributes, listeners (`on…`) and children; what is null or false is left out. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return made;
}

/** The paragraphs of a text in the reader's language. */
const paragraphs = (text) => (text ?? "").split(/\n\s*\n/).filter(Boolean).map((paragraph) => t(paragraph));

/** What stands between backticks as code. */
const marked = (text) => text.split("`").map((part, at) => (at % 2 ? element("code", {}, part) : part));

/** A text in the reader's language, in one line. */
const phrase = (text) => marked(paragraphs(text).join(" "));

/** The same, in paragraphs. */
const prose = (text) => paragraphs(text).map((paragraph) => element("p", {}, marked(paragraph)));

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
  const inShort = (one) => (isNull(one) ? "null" : (!resolve(api, one).enum && nameOf(one)) || inWords(api, one));
  const otherwise = schema.default === undefined ? "" : t(", otherwise {value}", { value: JSON.stringify(schema.default) });
  if (choices(schema)) return choices(schema).map(inShort).join(t(" or "));
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(", ") + otherwise;
  if (nameOf(given)) return nameOf(given);
  const format = schema.format && !/^u?int/.test(schema.format) ? ` (${schema.format})` : "";
  const types = typesOf(schema).map((one) => one + (isNull({ type: one }) ? "" : format)).join(t(" or ")) || t("anything");
  const type = typesOf(schema).includes("array") ? types.replace("array", t("array of {type}", { type: inWords(api, schema.items) })) : types;
  const bounds = (low, high, unit) => {
    if (low === undefined && high === undefined) return "";
    if (low === undefined) return t(", at most {n}", { n: high }) + unit;
    return (high === undefined ? t(", at least {n}", { n: low }) : t(", {low} to {high}", { low, high })) + unit;
  };
  return type + bounds(schema.minimum, schema.maximum, "") + bounds(schema.minLength, schema.maxLength, t(" characters"))
    + otherwise;
}

/** The properties of a schema, and of what it is made of; null where it has none. */
function propertiesOf(api, given, depth = 0) {
  const schema = resolve(api, given);
  if (depth > 6) return null;
  if (typesOf(schema).includes("array")) return propertiesOf(api, schema.items, depth);
  // One thing and an array of it have the same ones.
  const made = (choices(schema) ?? []).map((part) => (typesOf(resolve(api, part)).includes("array") ? part.items : part));
  const seen = new Set(), isNew = (part) => !nameOf(part) || (!seen.has(nameOf(part)) && seen.add(nameOf(part)));
  const parts = [...(schema.allOf ?? []), ...made.filter(isNew)].map((part) => propertiesOf(api, part, depth + 1));
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const required = schema.required?.includes(name);
    // What is said here is more than what is said of all of its kind.
    const said = [property, ...(choices(property) ?? [])];
    const about = [...said, ...said.map((one) => resolve(api, one))].find((one) => one.description)?.description;
    return [
      element("dt", {}, element("code", {}, name), " ", element("small", {}, inWords(api, property), required ? "" : t(", may be left out"))),
      element("dd", {}, about ? phrase(about) : null, propertiesOf(api, property, depth + 1)),
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
    element("dt", {}, element("code", {}, name), element("small", {}, " ", t("header"))),
    element("dd", {}, phrase(resolve(api, header).description)),
  ]);
  // Forms mostly have the properties of the JSON before them.
  const shown = new Set();
  const contents = Object.entries(thing.content ?? {}).map(([type, given]) => {
    const schema = resolve(api, given).schema;
    const names = [schema, ...(choices(resolve(api, schema)) ?? [])].map(nameOf).filter(Boolean);
    const isNew = !names.some((name) => shown.has(name));
    names.forEach((name) => shown.add(name));
    return element("div", {}, element("small", {}, type, schema ? `: ${inWords(api, schema)}` : ""), schema && isNew ? propertiesOf(api, schema) : null);
  });
  return [headers.length ? element("dl", {}, headers) : null, contents];
}

function answers(api, responses) {
  return Object.entries(responses).flatMap(([status, given]) => {
    const response = resolve(api, given);
    const isShared = Boolean(given.$ref);
    return [
      element("dt", {}, element("strong", {}, status), " ", phrase(response.description)),
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
    parameters.length ? [element("h4", {}, t("Parameters")), element("dl", {}, parameters.flatMap((parameter) => [
      element("dt", {}, element("code", {}, parameter.name), " ",
        element("small", {}, `${t(parameter.in)}${t(", ")}${inWords(api, parameter.schema)}${parameter.required ? "" : t(", may be left out")}`)),
      element("dd", {}, phrase(parameter.description)),
    ]))] : null,
    body ? [element("h4", {}, t("Body")), prose(body.description), shape(api, body)] : null,
    element("h4", {}, t("Answers")), element("dl", {}, answers(api, operation.responses)),
    tryIt(api, path, method, parameters, body));
  const made = element("details", { class: "call", id: operation.operationId },
    element("summary", {}, element("span", { class: `method ${method}` }, method.toUpperCase()),
      element("span", { class: "path" }, path), element("span", { class: "soft" }, phrase(operation.summary))));
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
    // What `explode` makes of an object: each of its properties is a parameter.
    else if (parameter.schema?.type === "object") new URLSearchParams(value).forEach((one, name) => query.append(name, one));
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
  const put = (body) => (output.textContent = `${head}\n\n${body}`);
  put("");
  if (response.body) {
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      text += decoder.decode(value, { stream: true });
      put(text);
      if (text.length >= SHOWN_MAX) {
        await reader.cancel();
        put(`${text}\n${t("… and more")}`);
        return;
      }
    }
  }
  put(pretty(text));
}

/** A field for a parameter: a choice where there are few values, else a line. */
function field(api, parameter) {
  const schema = resolve(api, parameter.schema);
  const attributes = { name: parameter.name, required: parameter.required ?? false };
  if (schema.enum || schema.type === "boolean") {
    const values = schema.enum ?? ["true", "false"];
    return element("select", attributes, ["", ...values].map((value) => element("option", { value }, value)));
  }
  const hints = { array: t("several with commas between"), object: t("name=value, several with & between") };
  const placeholder = hints[typesOf(schema)[0]] ?? "";
  return element("input", { ...attributes, placeholder, autocomplete: "off", spellcheck: "false" });
}

function tryIt(api, path, method, parameters, body) {
  const inputs = new Map(parameters.map((parameter) => [parameter.name, field(api, parameter)]));
  let content = null;
  if (body) {
    const types = Object.keys(body.content);
    const type = element("select", { name: "content-type" }, types.map((one) => element("option", {}, one)));
    const text = element("textarea", { name: "body", spellcheck: "false", "aria-label": t("Body") });
    const fill = () => {
      const example = exampleOf(api, body.content[type.value].schema);
      text.value = typeof example === "string" ? example : JSON.stringify(example, null, 2);
    };
    type.addEventListener("change", fill);
    fill();
    content = { type, text };
  }
  const curl = element("pre", { class: "curl", tabindex: "0", "aria-label": t("As a command") });
  const output = element("pre", { class: "answer", tabindex: "0", "aria-label": t("Answer") });
  // Read out by itself; the answer is read when its reader goes there.
  const state = element("p", { role: "status" }), shown = element("div", { hidden: true }, curl, state, output);
  const send = element("button", { type: "submit" }, t("Send")), stop = element("button", { type: "button", hidden: true }, t("Stop"));
  let abort = null;
  stop.addEventListener("click", () => abort?.abort());
  const submit = async (event) => {
    event.preventDefault();
    abort?.abort();
    const mine = (abort = new AbortController());
    shown.hidden = stop.hidden = false;
    [state.textContent, output.textContent] = ["…", ""];
    try {
      const request = requestOf(path, method, parameters, inputs, content);
      curl.textContent = curlOf(request);
      const start = performance.now();
      const response = await fetch(request.url, { method: request.method, headers: request.headers, body: request.body, signal: mine.signal });
      const time = t("in {n} ms", { n: Math.round(performance.now() - start) });
      state.textContent = `${response.status} ${response.statusText} ${time}`;
      await show(response, output, [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n"));
    } catch (error) {
      if (mine === abort) state.textContent += ` ${mine.signal.aborted ? t("Stopped.") : error}`;
    }
    if (abort === mine) stop.hidden = true;
  };
  const form = element("form", { onsubmit: submit }, element("h4", {}, t("Try it")),
    [...inputs].map(([name, input]) => element("label", {}, name, input)),
    content && [element("label", {}, "Content-Type", content.type), content.text,
      element("small", {}, t("A form is written as a JSON object here."), " ", t("Ctrl+Enter sends."))],
    element("div", {}, send, " ", stop), shown);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  return form;
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
    const title = t(tag.replaceAll("_", " ").replace(/^./, (letter) => letter.toUpperCase()));
    const section = element("section", {}, element("h2", {}, title)), list = element("ul");
    const heading = element("h2", {}, title);
    for (const { path, method, operation } of entries) {
      const shown = call(api, path, method, operation);
      const link = element("li", {}, element("a", { href: `#${operation.operationId}`, title: t(operation.summary ?? "").replaceAll("`", "") },
        element("span", { class: `method ${method}` }, method.toUpperCase()), path.replace(/^\/api/, "")));
      const { summary, description, parameters } = operation;
      const said = [summary, description, ...(parameters ?? []).map((parameter) => parameter.description)].flatMap(paragraphs);
      const words = JSON.stringify([path, method, tag, title, said, summary, description, parameters]).toLowerCase();
      found.push({ words, shown, link, section, heading });
      section.append(shown);
      list.append(link);
    }
    index.append(heading, list);
    calls.append(section);
  }
  const find = document.getElementById("find"), state = document.getElementById("state");
  find.addEventListener("input", () => {
    const wanted = find.value.toLowerCase().split(/\s+/);
    found.forEach((entry) => (entry.section.hidden = entry.heading.hidden = true));
    let none = true;
    for (const entry of found) {
      const fits = wanted.every((word) => entry.words.includes(word));
      entry.shown.hidden = entry.link.hidden = !fits;
      if (fits) none = entry.section.hidden = entry.heading.hidden = false;
    }
    state.textContent = none ? t("Nothing fits.") : "";
  });
  const open = () => {
    const wanted = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (wanted?.matches("details")) {
      wanted.open = true;
      wanted.scrollIntoView();
      wanted.querySelector("summary").focus({ preventScroll: true });
    }
  };
  addEventListener("hashchange", open);
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !event.target.matches("input, select, textarea")) {
      event.preventDefault();
      find.focus();
    }
  });
  open();
}

/** The page's own texts, and the choice of their language. */
function translate(spoken) {
  document.documentElement.lang = spoken;
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = t(one.textContent);
  const chosen = document.getElementById("language");
  chosen.append(...LANGUAGES.map((one) => {
    const name = new Intl.DisplayNames([one], { type: "language" }).of(one.split("-")[0]);
    return element("option", { value: one, lang: one, selected: one === spoken }, name);
  }));
  chosen.addEventListener("change", () => {
    localStorage.setItem(CHOSEN, chosen.value);
    location.reload();
  });
}

const state = document.getElementById("state");
try {
  const spoken = language();
  const [api, found] = await Promise.all([read("/api/openapi.json"), spoken === "en" ? null : read(`/api/docs/${spoken}.json`)]);
  texts = found;
  translate(spoken);
  start(api);
  state.textContent = "";
} catch (error) {
  state.textContent = `${t("This page could not be made.")} ${error}`;
}
