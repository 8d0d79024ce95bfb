"use strict";
// The table of examples. Whatever comes from the data becomes text (textContent), never markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);

  // What turns the direction of the text after it, or cannot be seen, is shown as its escape
  const INVISIBLE = /[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
  const escaped = (character) => "\\u" + character.codePointAt(0).toString(16).padStart(4, "0");
  const visible = (text) => text.replaceAll("\r\n", "\n").replace(INVISIBLE, escaped);

  function element(tag, properties, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (name === "class") made.className = value;
      else if (name in made) made[name] = value;
      else made.setAttribute(name, value);
    }
    const shown = children.filter((child) => child !== null && child !== undefined);
    made.append(...shown.map((child) => (typeof child === "string" ? visible(child) : child)));
    return made;
  }

  // Numbers as text, as the terminal has them

  const absent = (value) => value === null || value === undefined;
  const number = (value) => (absent(value) ? "-" : value.toFixed(3));
  const measure = (value) => (absent(value) ? "-" : Math.abs(value) >= 1000 ? value.toFixed(0) : Math.abs(value) >= 0.001 && Math.abs(value) < 1 ? value.toFixed(3) : String(Number(value.toPrecision(4))));
  const signed = (value) => (value === undefined ? "" : (value > 0 ? "+" : "") + value.toFixed(3));
  const seconds = (value) => (value === null ? "-" : value < 100 ? value.toFixed(1) + " s" : (value / 60).toFixed(0) + " min");
  const money = (value) => (value === null ? "-" : "$" + value.toFixed(value < 1 ? 4 : 2));
  // A conversation, an agent's steps, tool calls: {"$turns": [[[name, value], ...], ...]}; what was cut is a text
  const TALKS = ["$turns", "$steps", "$calls"];
  function entriesOf(value) {
    const keys = typeof value === "object" && value !== null ? Object.keys(value) : [];
    return keys.length === 1 && TALKS.includes(keys[0]) && Array.isArray(value[keys[0]]) ? value[keys[0]] : null;
  }
  const partsOf = (entry) => (Array.isArray(entry) ? entry : [entry]).map((part) => (Array.isArray(part) && part.length === 2 ? part : ["", part]));
  const linesOf = (entries) => entries.map((entry) => partsOf(entry).map(([name, value]) => `${name}: ${written(value)}`).join("\n")).join("\n");

  const written = (value) => (typeof value === "string" ? value : isMedium(value) ? toldOf(value) : entriesOf(value) ? linesOf(entriesOf(value)) : json(value, 1));
  const kindOf = (value) => (typeof value === "object" && value !== null && !entriesOf(value) ? "text json" : "text");

  function talk(entries) {
    return element("ol", { class: "talk" }, ...entries.map((entry) => element("li", {}, element("dl", {}, ...partsOf(entry).map(([name, part]) =>
      element("div", {}, element("dt", {}, String(name)), element("dd", { class: kindOf(part) }, typeof part === "string" ? part : mediaIn(part).length ? shown(part) : JSON.stringify(part))))))));
  }

  // Pictures and sounds, of which the data has the small ones

  const isMedium = (value) => typeof value === "object" && value !== null && typeof value.sha256 === "string" && typeof value.media === "string";

  const toldOf = (value) => `${value.name || value.media}, ${value.bytes.toLocaleString("en")} bytes`;
  const mediaIn = (value) => (isMedium(value) ? [value] : typeof value === "object" && value !== null ? Object.values(value).flatMap(mediaIn) : []);
  const json = (value, indent) => JSON.stringify(value, (name, part) => (isMedium(part) ? toldOf(part) : part), indent);

  function shown(value) {
    if (isMedium(value)) return medium(value);
    if (Array.isArray(value) && value.some(isMedium)) return element("div", { class: "media" }, ...value.map(shown));
    if (entriesOf(value)) return talk(entriesOf(value));
    const inner = mediaIn(value); // of a model, say
    return inner.length ? element("div", {}, json(value, 1), element("div", { class: "media" }, ...inner.map(medium))) : written(value);
  }

  function medium(value) {
    const source = Object.hasOwn(data.media, value.sha256) ? data.media[value.sha256] : null;
    const told = toldOf(value);
    if (source && value.media.startsWith("audio/")) return element("audio", { controls: true, preload: "none", src: source, title: told });
    if (!source || !value.media.startsWith("image/")) return `${told}: media/${value.sha256.slice(0, 12)}...`;
    const picture = element("button", { type: "button", class: "picture", title: told, "aria-expanded": "false" }, element("img", { src: source, alt: told }));
    picture.onclick = () => picture.setAttribute("aria-expanded", String(picture.getAttribute("aria-expanded") !== "true"));
    return picture;
  }

  const examples = (count) => `${count} example${count === 1 ? "" : "s"}`;

  // What can be shown, sorted and searched

  const KINDS = [
    ["all", "All", () => true],
    ["failed", "Failed", (one) => one.status === "failed"],
    ["error", "Errors", (one) => one.status === "error"],
    ["missing", "Missing", (one) => one.status === "missing"],
    ["skipped", "Skipped", (one) => one.status === "skipped"],
    ["regressed", "Regressed", (one) => one.change < 0],
    ["improved", "Improved", (one) => one.change > 0],
  ];

  const distinct = (name) => [...new Set(data.examples.map((one) => one[name]))];
  const tests = distinct("test");
  const methods = distinct("method");
  const slicesOf = (one) => one.slices || [];
  const withoutFolders = (test) => test.replace(/^[^:]*\//, "");
  const shortTest = new Set(tests.map(withoutFolders)).size === tests.length ? withoutFolders : (test) => test;
  const ORDER = ["error", "missing", "failed", "skipped", "passed"];

  const predicted = (one) => one.rollouts && one.rollouts[0] && one.rollouts[0].prediction;

  function answer(one) {
    return predicted(one) ? written(Object.values(predicted(one)).at(-1)) : one.error || "";
  }

  // The label with the name of the answer's field
  function expected(one) {
    const name = Object.keys(predicted(one) || {}).at(-1);
    return name !== undefined && Object.hasOwn(one.labels, name) ? written(one.labels[name]) : "";
  }

  const COLUMNS = [
    { name: "Example", kind: "which", value: (one) => one.example || one.nodeid },
    { name: "Test", kind: "of wide", value: (one) => one.test, shown: tests.length > 1 },
    { name: "Method", kind: "how wide", value: (one) => one.method, shown: methods.length > 1 },
    { name: "Status", kind: "how", value: (one) => ORDER.indexOf(one.status) },
    { name: "Score", value: (one) => one.score, kind: "n" },
    { name: "Baseline", value: (one) => one.before, kind: "n wide", shown: data.baseline !== null },
    { name: "Change", value: (one) => one.change, kind: "n", shown: data.baseline !== null },
    { name: "Time", value: (one) => one.seconds, kind: "n wide" },
    { name: "Expected", value: expected, kind: "answer wide", unsorted: true, shown: data.examples.some(expected) },
    { name: "Answer", value: answer, kind: "answer wide", unsorted: true },
  ].filter((column) => column.shown !== false);

  const collator = new Intl.Collator("en", { numeric: true });

  function compare(left, right) {
    return typeof left === "string" ? collator.compare(left, right) : left - right;
  }

  const texts = new Map();
  function searchable(one) {
    // Made when it is first needed: opening the page must not wait for it
    if (!texts.has(one)) {
      const parts = [one.nodeid, one.error, one.note];
      const told = [one.inputs, one.labels, ...(one.rollouts || []), ...(one.was || [])];
      texts.set(one, [...parts.filter(Boolean), ...told.map(leaves)].join("\n").toLowerCase());
    }
    return texts.get(one);
  }

  function leaves(value) {
    if (absent(value)) return "";
    if (entriesOf(value)) return entriesOf(value).flatMap(partsOf).map(([, part]) => leaves(part)).join("\n");
    return typeof value === "object" ? Object.values(value).map(leaves).join("\n") : String(value);
  }

  // Rows: a tbody for each example, so that what is opened stays with its row

  const CHOICES = ["test", "method", "slice"];
  const state = { kind: "all", test: "", method: "", slice: "", text: "", column: null, descending: false };
  const byNodeid = new Map(data.examples.map((one) => [one.nodeid, one]));
  const rows = new Map();
  let ordered = data.examples;

  function rowOf(one) {
    if (!rows.has(one)) row(one, rows.size);
    return rows.get(one);
  }

  function row(one, position) {
    const id = `example-${position}`;
    const name = one.example || one.nodeid.split("::").at(-1);
    const button = element("button", { type: "button", class: "open", "aria-expanded": "false", "aria-controls": id }, name);
    const cells = {
      Example: () => element("th", { scope: "row", class: "name" }, button),
      Test: () => element("td", { class: "name wide", title: one.test }, shortTest(one.test)),
      Method: () => element("td", { class: "name wide" }, one.method),
      Status: () => element("td", {}, element("span", { class: `status ${one.status}` }, one.status)),
      Score: () => element("td", { class: "n strong" }, number(one.score)),
      Baseline: () => element("td", { class: "n wide" }, number(one.before)),
      Change: () => element("td", { class: `n ${one.change < 0 ? "bad" : one.change > 0 ? "good" : ""}` }, signed(one.change)),
      Time: () => element("td", { class: "n wide" }, seconds(one.seconds)),
      Expected: () => element("td", { class: "answer wide" }, expected(one).slice(0, 160)),
      Answer: () => element("td", { class: "answer wide" }, answer(one).slice(0, 160)),
    };
    const line = element("tr", { class: "line" }, ...COLUMNS.map((column) => cells[column.name]()));
    const body = element("tbody", {}, line);
    rows.set(one, { id, button, body, details: null });
    button.addEventListener("click", (event) => { event.stopPropagation(); toggle(one); });
    line.addEventListener("click", () => { if (getSelection().isCollapsed) toggle(one); });
  }

  // On a narrow page some are hidden; a cell over more columns than there are would add some to the table
  const shownColumns = () => [...document.querySelectorAll("#table > thead th")].filter((head) => head.checkVisibility()).length;

  function spanAgain() {
    for (const cell of document.querySelectorAll("#table > tbody > tr.details > td")) cell.colSpan = shownColumns();
  }

  function toggle(one, open = rowOf(one).button.getAttribute("aria-expanded") !== "true") {
    const known = rowOf(one);
    known.button.setAttribute("aria-expanded", String(open));
    known.body.classList.toggle("opened", open);
    if (open && !known.details) {
      known.details = element("tr", { class: "details", id: known.id }, element("td", { colSpan: shownColumns() }, details(one)));
      known.body.append(known.details);
    }
    if (known.details) known.details.hidden = !open;
  }

  // What an example opens to

  function details(one) {
    const box = element("div", { class: "box" });
    const part = (title, ...children) => box.append(element("section", {}, element("h3", {}, title), ...children));
    if (one.error) box.append(element("p", { class: "problem text" }, one.error));
    if (one.note) box.append(element("p", { class: "empty" }, `This example ${one.note}.`));
    if (one.inputs && Object.keys(one.inputs).length) part("Inputs", fields(one.inputs));
    const labels = Object.entries(one.labels || {}).filter(([name]) => !predictedNames(one).has(name));
    if (labels.length) part("Labels", fields(Object.fromEntries(labels)));
    if (one.rollouts && one.rollouts.length) part(one.rollouts.length > 1 ? "Predictions" : "Prediction", ...predictions(one));
    if (one.usage) part("Calls", usage(one));
    part("Repeat", repeat(one));
    return box;
  }

  function fields(values) {
    return element("dl", { class: "fields" }, ...Object.entries(values).map(([name, value]) =>
      element("div", {}, element("dt", {}, name), element("dd", { class: kindOf(value) }, shown(value)))));
  }

  const rolloutsOf = (one) => [...(one.rollouts || []), ...(one.was || [])];
  const predictedNames = (one) => new Set(rolloutsOf(one).flatMap((rollout) => Object.keys(rollout.prediction || {})));

  function predictions(one) {
    const was = (one.was || []).map((rollout) => ({ ...rollout, old: true }));
    const columns = [...one.rollouts, ...was];
    const names = [...predictedNames(one)];
    const metrics = [...new Set(columns.flatMap((rollout) => Object.keys(rollout.metrics || {})))];
    const isExpected = (name) => Object.hasOwn(one.labels, name);
    const anyExpected = names.some(isExpected);
    const title = (rollout, position, group) => {
      const numbered = group.length > 1 ? ` ${position + 1}` : "";
      return element("th", { scope: "col", class: rollout.old ? "old" : "" }, rollout.old ? `Baseline${numbered}` : group.length > 1 ? `Rollout${numbered}` : "Now");
    };
    const cell = (rollout, value, kind) =>
      element("td", { class: `${kind || kindOf(value)}${rollout.old ? " old" : ""}` }, absent(value) ? "-" : shown(value));
    const label = (name) => element("td", { class: kindOf(one.labels[name]) }, shown(one.labels[name]));
    const line = (name, value, kind, beside = element("td")) => element("tr", {}, element("th", { scope: "row" }, name),
      anyExpected ? beside : null, ...columns.map((rollout) => cell(rollout, value(rollout), kind)));
    const table = element("table", { class: "predictions" },
      element("caption", { class: "unseen" }, "What was predicted, and how it was scored"),
      element("thead", {}, element("tr", {}, element("td"),
        anyExpected ? element("th", { scope: "col" }, "Expected") : null,
        ...one.rollouts.map((rollout, position) => title(rollout, position, one.rollouts)),
        ...was.map((rollout, position) => title(rollout, position, was)))),
      element("tbody", {},
        line("score", (rollout) => number(rollout.score), "strong"),
        columns.some((rollout) => rollout.verdicts) ? line("verdicts", (rollout) => rollout.verdicts && rollout.verdicts.map(number).join(", "), "text") : null,
        ...metrics.map((name) => line(name, (rollout) => measure((rollout.metrics || {})[name]), "text")),
        ...names.map((name) => line(name, (rollout) => (rollout.prediction || {})[name], undefined, isExpected(name) ? label(name) : undefined)),
        columns.some((rollout) => rollout.feedback) ? line("feedback", (rollout) => rollout.feedback) : null));
    const note = was.length && !was.some((rollout) => rollout.prediction)
      ? element("p", { class: "empty" }, data.has_before
        ? "What the baseline predicted here is not known."
        : "The baseline is known by its scores alone. Compare with a run to see what it predicted.")
      : null;
    const threshold = absent(one.threshold) ? null : element("p", {}, `A score of ${one.threshold} or more passes.`);
    return [scrolling("Predictions", table), threshold, note].filter(Boolean);
  }

  function scrolling(label, table) {
    return element("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": label }, table);
  }

  function usage(one) {
    const heads = ["", "Fresh", "Cached", "Failed", "Prompt tokens", "Completion tokens", "Cost"];
    const rows = Object.entries(one.usage).filter(([, values]) => values.slice(0, 2).some(Boolean));
    if (!rows.length) return element("p", { class: "empty" }, `No LM call; ${seconds(one.seconds)}.`);
    const table = element("table", { class: "narrow" },
      element("caption", { class: "unseen" }, "LM calls, tokens and cost of program and metric"),
      element("thead", {}, element("tr", {}, ...heads.map((head) => element(head ? "th" : "td", head ? { scope: "col", class: "n" } : {}, head)))),
      element("tbody", {}, ...rows.map(([name, values]) => element("tr", {}, element("th", { scope: "row" }, name),
        ...values.map((value, position) => element("td", { class: "n" }, position === 5 ? money(values[0] ? value : null) : String(value)))))));
    return element("div", {}, scrolling("Calls", table), element("p", {}, `${seconds(one.seconds)} in all rollouts.`));
  }

  function repeat(one) {
    const entries = { test: one.nodeid, rollout: one.rollout_id, "again, with fresh calls": one.repeat, "the same answers, without calls": one.replay };
    const list = element("dl", { class: "fields" }, ...Object.entries(entries).filter(([, text]) => text).map(([name, text]) =>
      element("div", {}, element("dt", {}, name), element("dd", {}, element("code", {}, text)))));
    return element("div", {}, list, element("p", {}, element("a", { href: fragment(one) }, "Link to this example")));
  }

  // Showing, sorting, linking

  const wanted = (one) => {
    const [, , fits] = KINDS.find(([kind]) => kind === state.kind);
    return fits(one) && (!state.test || one.test === state.test) && (!state.method || one.method === state.method)
      && (!state.slice || slicesOf(one).includes(state.slice)) && (!state.text || searchable(one).includes(state.text));
  };

  // Rows are made and laid out in parts, so that the first are there at once; aria-busy says that more will come
  const FIRST = 100;
  const FURTHER = 200;
  const PAUSE = 20;  // milliseconds, in which what was typed or pressed is answered
  let rest = [];
  let timer = 0;

  function more(count) {
    clearTimeout(timer);
    byId("table").append(...rest.splice(0, count).map((one) => rowOf(one).body));
    byId("table-area").setAttribute("aria-busy", String(rest.length > 0));
    if (rest.length) timer = setTimeout(more, PAUSE, FURTHER);
  }

  function show() {
    rest = ordered.filter(wanted);
    const count = rest.length;
    for (const body of [...byId("table").tBodies]) body.remove();
    more(FIRST);
    byId("shown").textContent = count === data.examples.length ? examples(count) : `${count} of ${examples(data.examples.length)}`;
    byId("none").textContent = "No example fits.";
    byId("none").hidden = count > 0;
    byId("table-area").hidden = count === 0;
    for (const button of document.querySelectorAll(".filters button"))
      button.setAttribute("aria-pressed", String(button.value === state.kind));
  }

  function sort(column) {
    state.descending = state.column === column ? !state.descending : column.name === "Time";  // the slowest, but the lowest scores first
    state.column = column;
    const turn = state.descending ? -1 : 1;
    const keyed = data.examples.map((one, position) => ({ one, position, value: column.value(one) }));
    keyed.sort((left, right) =>
      absent(left.value) - absent(right.value)
      || (absent(left.value) ? 0 : turn * compare(left.value, right.value))
      || left.position - right.position);
    ordered = keyed.map(({ one }) => one);
    show();
    document.querySelectorAll("#table thead th").forEach((head, position) => {
      if (COLUMNS[position].unsorted) return;
      head.setAttribute("aria-sort", COLUMNS[position] !== column ? "none" : state.descending ? "descending" : "ascending");
    });
  }

  const fragment = (one) => "#example=" + encodeURIComponent(one.nodeid);

  function linked() {
    if (location.hash.startsWith("#slice=")) filtered(new URLSearchParams(location.hash.slice(1)));
    if (!location.hash.startsWith("#example=")) return;
    let nodeid = "";
    try { nodeid = decodeURIComponent(location.hash.slice("#example=".length)); } catch { return; }
    const one = byNodeid.get(nodeid);
    if (!one) return;
    if (!wanted(one)) reset();
    more(rest.length);
    toggle(one, true);
    const { button, body } = rowOf(one);
    body.scrollIntoView({ block: "start" });
    button.focus({ preventScroll: true });
  }

  function filtered(wished) {
    Object.assign(state, { kind: "all", text: "" });
    byId("text").value = "";
    for (const id of CHOICES) {
      const known = [...byId(id).options].some((option) => option.value === wished.get(id));
      state[id] = byId(id).value = known ? wished.get(id) : "";
    }
    show();
    byId("examples").scrollIntoView();
  }

  function reset() {
    Object.assign(state, { kind: "all", test: "", method: "", slice: "", text: "" });
    for (const id of [...CHOICES, "text"]) byId(id).value = "";
    show();
  }

  function choices(id, values) {
    byId(id + "-field").hidden = values.length < (id === "slice" ? 1 : 2);
    byId(id).append(element("option", { value: "" }, "all"), ...values.map((value) => element("option", { value }, value)));
    byId(id).addEventListener("change", (event) => { state[id] = event.target.value; show(); });
  }

  function themes() {
    const names = ["system", "light", "dark"];
    const button = byId("theme");
    const read = () => { try { return localStorage.getItem("pitcheval-theme"); } catch { return null; } };
    const write = (name) => { try { localStorage.setItem("pitcheval-theme", name); } catch { /* a file may have no store */ } };
    const set = (name) => {
      if (name === "system") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = name;
      button.textContent = `Theme: ${name}`;
      button.value = name;
    };
    set(names.includes(read()) ? read() : "system");
    button.hidden = false;
    button.addEventListener("click", () => {
      const next = names[(names.indexOf(button.value) + 1) % names.length];
      set(next);
      write(next);
    });
  }

  function start() {
    themes();
    if (!data.examples.length) {
      byId("none").textContent = "There are no examples in this run.";
      byId("none").hidden = false;
      return;
    }
    for (const [kind, label, fits] of KINDS) {
      const count = data.examples.filter(fits).length;
      if (!count) continue;
      const button = element("button", { type: "button", value: kind, "aria-pressed": "false" }, label, element("span", { class: "count" }, String(count)));
      button.addEventListener("click", () => { state.kind = kind; show(); });
      document.querySelector(".filters").append(button);
    }
    byId("table").classList.toggle("crowded", COLUMNS.length > 8);
    choices("test", tests);
    choices("method", methods);
    choices("slice", [...new Set(data.examples.flatMap(slicesOf))].sort(collator.compare));
    byId("text").addEventListener("input", (event) => { state.text = event.target.value.toLowerCase().trim(); show(); });
    document.querySelector("#table thead tr").append(...COLUMNS.map((column) => {
      const head = element("th", { scope: "col", class: column.kind || "" });
      if (column.unsorted) { head.textContent = column.name; return head; }
      const button = element("button", { type: "button", class: "sort" }, column.name);
      button.addEventListener("click", () => sort(column));
      head.setAttribute("aria-sort", "none");
      head.append(button);
      return head;
    }));
    byId("controls").hidden = false;
    show();
    linked();
    addEventListener("hashchange", linked);
    matchMedia("(max-width: 48rem)").addEventListener("change", spanAgain);
    addEventListener("beforeprint", () => more(rest.length));
  }

  start();
})();
