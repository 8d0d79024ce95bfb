"use strict";
// Answers one after the other; a key labels one. Whatever comes from the data becomes text (textContent), never markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const isYesOrNo = Object.hasOwn(data.values, "y");

  let author = "";
  let said = []; // of each answer that was shown: the text of its label, or null where it was skipped
  let saved = 0; // how many labels the last file had

  function element(tag, properties, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(properties || {})) {
      if (name === "class") made.className = value;
      else if (name in made) made[name] = value;
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  // What this browser keeps, if it keeps anything of files

  const place = () => `pitcheval label ${data.digits} ${author}`;

  function keep() {
    try { localStorage.setItem(place(), JSON.stringify({ said, saved })); } catch { /* the page itself has it */ }
  }

  function remember() {
    try {
      const kept = JSON.parse(localStorage.getItem(place()));
      const isLabel = (one) => one === null || Object.values(data.values).includes(one);
      if (kept && Array.isArray(kept.said) && kept.said.length <= data.items.length && kept.said.every(isLabel)) {
        said = kept.said;
        saved = Number(kept.saved) || 0;
      }
    } catch { /* then we begin anew */ }
  }

  // One answer

  function medium(one) {
    const source = Object.hasOwn(data.media, one.sha256) ? data.media[one.sha256] : null;
    const told = `${one.name || one.media}, ${one.bytes.toLocaleString("en")} bytes`;
    if (source && one.media.startsWith("image/")) return element("img", { src: source, alt: told });
    if (source && one.media.startsWith("audio/")) return element("audio", { controls: true, src: source, title: told });
    return element("div", { class: "text" }, `[${told}]`);
  }

  function field([of, name, parts]) {
    const shown = parts.map((part) => (typeof part === "string" ? element("div", { class: "text" }, part) : medium(part)));
    return element("div", { class: of === "answer" ? "given" : "" }, element("h2", {}, of ? `${of}: ${name}` : name), ...shown);
  }

  const labelled = () => said.filter((one) => one !== null).length;
  const isOver = () => said.length === data.items.length;

  function show(note = "") {
    const over = isOver();
    byId("answer").hidden = over;
    byId("end").hidden = !over;
    byId("note").textContent = note;
    byId("progress").textContent = `${over ? "" : `${said.length + 1} of ${data.items.length}, `}${labelled()} labelled by ${author}`;
    byId("came-of-it").textContent = `${labelled()} labelled, ${said.length - labelled()} skipped. Press q to save ${data.file}, u to go back.`;
    if (!over) byId("answer").replaceChildren(...data.items[said.length][0].map(field));
    for (const button of byId("buttons").children) button.disabled = over && !["u", "q"].includes(button.value);
    scrollTo(0, 0);
    byId(over ? "end" : "answer").focus({ preventScroll: true });
  }

  // What keys do

  function press(key) {
    if (key === "q") return save();
    if (key === "u" || key === "Backspace") {
      const isThere = said.length > 0;
      said.pop();
      keep();
      return show(isThere ? "" : "nothing to undo");
    }
    const value = Object.hasOwn(data.values, key) ? data.values[key] : key === "s" ? null : undefined;
    if (isOver() || value === undefined) return;
    said.push(value);
    keep();
    show();
  }

  function line([, before, after], value) {
    const day = new Date().toISOString().slice(0, 10);
    const who = `{"by": ${JSON.stringify(author)}, "kind": "person", "on": "${day}", ${after}`;
    return `${before}, ${JSON.stringify(data.label)}: ${value}, "labelled": ${who}}\n`;
  }

  function save() {
    const lines = said.flatMap((value, number) => (value === null ? [] : [line(data.items[number], value)]));
    if (!lines.length) return show("nothing is labelled yet");
    const address = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
    element("a", { href: address, download: data.file }).click();
    setTimeout(() => URL.revokeObjectURL(address), 60000);
    saved = lines.length;
    keep();
    show(`${lines.length} label${lines.length === 1 ? "" : "s"} saved as ${data.file}`);
  }

  function begin() {
    author = byId("by").value.trim();
    if (!author) return;
    remember();
    byId("start").hidden = true;
    byId("keys").hidden = false;
    show(said.length ? "where you were" : "");
  }

  const names = isYesOrNo ? { y: "yes", n: "no" } : { 1: "worst", [Object.keys(data.values).length]: "best" };
  const all = { ...Object.fromEntries(Object.keys(data.values).map((key) => [key, names[key] || ""])), s: "skip", u: "undo", q: "save" };
  byId("buttons").append(...Object.entries(all).map(([key, name]) => element("button", { type: "button", value: key }, element("kbd", {}, key), name)));
  byId("buttons").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) press(button.value);
  });
  byId("by").value = data.by;
  byId("by").select(); // to be confirmed, or typed over
  byId("start").addEventListener("submit", (event) => {
    event.preventDefault();
    begin();
  });
  document.addEventListener("keydown", (event) => {
    if (!author || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (key === "Backspace" || Object.hasOwn(all, key)) {
      event.preventDefault();
      press(key);
    }
  });
  addEventListener("beforeunload", (event) => {
    if (labelled() > saved) event.preventDefault();
  });
})();
