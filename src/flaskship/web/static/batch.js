// A file in, its rows answered: what is in it, how far it is, what came out.
import { chart, counted, element } from "./chart.js";
import { Reader, delimiter } from "./csv.js";

const HEAD = 65536; // bytes that are read for the preview
const SHOWN = 5; // rows of it
const CATEGORICAL = ["classification", "clustering", "outlier"];
const here = (id) => document.getElementById(id);

export function batch(form, result) {
  const input = here("file"), drop = here("drop");
  const fields = JSON.parse(here("fields").textContent);
  drop.querySelector(".drag-hint").hidden = false;
  input.addEventListener("change", () => {
    result.hidden = true;
    preview(input.files[0], fields, Number(form.dataset.limit));
  });
  for (const kind of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files.length) {
        input.files = event.dataTransfer.files;
        input.dispatchEvent(new Event("change"));
      }
    });
  }
  form.addEventListener("submit", (event) => {
    if (event.submitter?.hasAttribute("formaction")) return; // the browser's own download
    event.preventDefault();
    send(form, result, false);
  });
}

const said = (kind, text) => element("p", { class: kind }, text);
const kilo = (bytes) => `${Math.max(1, Math.round(bytes / 1e3))} kB`;
const sized = (bytes) => (bytes < 1e6 ? kilo(bytes) : `${(bytes / 1e6).toFixed(1)} MB`);

async function preview(file, fields, limit) {
  const box = here("preview");
  box.hidden = !file;
  if (!file) return;
  const parts = [element("p", { class: "file-name" }, `${file.name}, ${sized(file.size)}`)];
  if (file.size > limit) parts.push(said("problem", `The file is larger than the ${sized(limit)} that are taken.`));
  const head = await file.slice(0, HEAD).text();
  const binary = head.startsWith("PAR1") || head.startsWith("PK") || head.includes("\0");
  const rows = binary ? null : table(head, file.size <= HEAD);
  if (rows?.length) {
    const first = grid(rows[0], rows.slice(1, 1 + SHOWN), "The first rows of the file", fields);
    parts.push(...matching(rows[0], fields), first);
  } else parts.push(said("muted", "Columns and rows are shown when it is read."));
  box.replaceChildren(...parts);
}

// The header and the first rows of CSV or JSON Lines.
function table(head, whole) {
  const text = head.replace(/^\uFEFF/, "");
  if (/^\s*[{[]/.test(text)) return objects(text);
  const rows = [];
  for (const row of new Reader(delimiter(text)).rows(text, whole)) {
    rows.push(row);
    if (rows.length > SHOWN) break;
  }
  return rows;
}

function objects(text) {
  const found = [];
  for (const line of text.split("\n").slice(0, SHOWN)) {
    try { found.push(JSON.parse(line)); } catch { break; }
  }
  if (!found.length || typeof found[0] !== "object" || Array.isArray(found[0])) return null;
  const names = Object.keys(found[0]);
  const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value ?? null));
  return [names, ...found.map((each) => names.map((name) => shown(each[name])))];
}

function matching(header, fields) {
  const there = new Set(header), known = new Set(fields.map((each) => each.name));
  const absent = fields.filter((each) => !there.has(each.name));
  const names = (some) => some.map((each) => each.name);
  const lacking = names(absent.filter((each) => each.required)), optional = names(absent.filter((each) => !each.required));
  const extra = header.filter((name) => !known.has(name));
  const list = (names) => names.slice(0, 8).join(", ") + (names.length > 8 ? `, and ${names.length - 8} more` : "");
  const are = ({ length }) => (length === 1 ? "is" : "are");
  const columns = counted(lacking.length, "column");
  const needed = `The model needs ${columns} that ${are(lacking)} not there: ${list(lacking)}.`;
  const whole = `All ${counted(fields.length, "field")} of the model ${are(fields)} there.`;
  const enough = `All that must be there is. Left out: ${list(optional)}.`;
  const parts = [lacking.length ? said("problem", needed) : said("fine", optional.length ? enough : whole)];
  if (extra.length) parts.push(said("muted", `Passed through unchanged: ${list(extra)}.`));
  return parts;
}

function grid(header, rows, label, fields) {
  const known = fields && new Set(fields.map((each) => each.name));
  const kinds = header.map((name) => {
    if (name === "prediction" || name.startsWith("prediction_")) return "out";
    return known && !known.has(name) ? "extra" : "";
  });
  const heads = header.map((name, index) => element("th", { scope: "col", class: kinds[index] }, name));
  const cells = (row) => header.map((_, index) => element("td", { class: kinds[index] }, row[index] ?? ""));
  const body = rows.map((row) => element("tr", {}, ...cells(row)));
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
    element("table", { class: "table" }, element("caption", { class: "visually-hidden" }, label),
      element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...body)));
}

// Where the work is: `part` is 0 to 1, or undefined where nobody knows.
function progress(phase, part) {
  here("progress").hidden = phase === "";
  here("phase").textContent = phase;
  if (part === undefined) here("bar").removeAttribute("value");
  else here("bar").value = part;
}

function send(form, result, skip) {
  const file = here("file").files[0];
  if (!file) { here("file").focus(); return; }
  const request = new XMLHttpRequest(), button = here("score"), cancel = here("cancel");
  const done = () => { button.disabled = false; cancel.hidden = true; progress(""); };
  const fail = (...parts) => { done(); show(result, element("h3", {}, "Not answered"), ...parts); };
  button.disabled = true;
  cancel.hidden = false;
  result.hidden = true;
  const started = performance.now();
  request.open("POST", form.getAttribute("action") + (skip ? "&on_error=null" : ""));
  request.responseType = "blob";
  request.upload.onprogress = ({ loaded, total }) => {
    progress(`Sending: ${Math.round((100 * loaded) / total)} %`, loaded / total);
  };
  request.upload.onload = () => progress("The model is at work.");
  request.onprogress = ({ loaded }) => progress(`Receiving: ${(loaded / 1e6).toFixed(1)} MB`);
  request.onerror = () => fail(said("problem", "The server does not answer. Try again."));
  request.onabort = done;
  request.onload = async () => {
    if (request.status !== 200) {
      fail(...refused(await request.response.text(), request.status, () => send(form, result, true)));
      return;
    }
    const spent = performance.now() - started;
    finish(request, form, result, spent).then(done, (error) => fail(said("problem", String(error))));
  };
  cancel.onclick = () => request.abort();
  progress("Sending", 0);
  const body = new FormData();
  body.append("file", file);
  request.send(body);
}

// What problem+json says, with the places of bad rows.
function refused(text, status, again) {
  let told = { detail: `The server answered ${status}.` };
  try { told = JSON.parse(text); } catch { /* a proxy's own page */ }
  const errors = told.errors ?? [];
  if (!errors.length) return [said("problem", told.detail)];
  const many = errors.length < 100 ? counted(errors.length, "problem") : "At least 100 problems";
  const parts = [
    said("problem", `${many} in the file. Nothing was predicted.`),
    grid(["Where", "What"], errors.map(({ at, message }) => [at, message]), "Problems by row and column"),
  ];
  if (errors.every(({ at }) => /^row \d/.test(at))) {
    const button = element("button", { class: "btn btn-outline-primary", type: "button" }, "Predict the other rows");
    button.addEventListener("click", again);
    parts.push(said("muted", "Rows with a problem can be left without a prediction."), button);
  }
  return parts;
}

function show(result, ...parts) {
  result.replaceChildren(...parts);
  result.hidden = false;
  result.focus({ preventScroll: true });
}

async function finish(request, form, result, spent) {
  const blob = request.response, name = named(request.getResponseHeader("Content-Disposition"));
  const read = await summary(blob, CATEGORICAL.includes(form.dataset.task));
  const href = URL.createObjectURL(blob);
  const link = element("a", { class: "btn btn-primary", id: "download", download: name, href }, "Download predictions");
  const size = `${sized(blob.size)}, ${name}`;
  show(result,
    element("h3", {}, `${counted(read.count, "row")} answered in ${(spent / 1000).toFixed(1)} s`),
    element("p", { class: "actions" }, link, element("span", { class: "muted" }, size)),
    ...charts(read),
    element("h4", {}, `The first ${counted(read.first.length, "row")}`),
    grid(read.header, read.first, "The first rows with their predictions"));
}

const named = (header) => decodeURIComponent(/filename\*=UTF-8''([^;]+)/.exec(header ?? "")?.[1] ?? "predictions.csv");

// The worker reads the file, as it may be long.
function summary(blob, categorical) {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data: { done, failed, part } }) => {
      if (part !== undefined) { progress("Reading the answers", part); return; }
      worker.terminate();
      if (done) resolve(done); else reject(new Error(failed));
    };
    worker.onerror = () => reject(new Error("The answers could not be read. Download them instead."));
    worker.postMessage({ blob, categorical });
  });
}

function charts(read) {
  if (!read.outputs.length || !read.count) return [];
  const place = element("div", { class: "chart" });
  const draw = (output) => place.replaceChildren(chart(output, read.count));
  draw(read.outputs[0]);
  const title = element("h4", {}, "Predictions");
  if (read.outputs.length === 1) return [title, place];
  const names = read.outputs.map(({ name }) => name.replace(/^prediction_/, ""));
  const options = names.map((name, index) => element("option", { value: index }, name));
  const choice = element("select", { class: "form-select", "aria-label": "Output that is drawn" }, ...options);
  choice.addEventListener("change", () => draw(read.outputs[choice.value]));
  return [title, choice, place];
}
