"use strict";
// Data files call colorizeReport.start() and .chunk(): pages opened from the disk may not fetch.
// Every text from an item is set with textContent or as an attribute, never as markup.
const colorizeReport = (() => {
  const PAGE = 60;
  const CHUNKS_KEPT = 24;
  const byId = (id) => document.getElementById(id);
  const state = { filter: "all", page: 1, search: "", shown: [], open: -1 };
  const loading = new Map(); // chunk name -> {promise, resolve}
  let index = null;
  let drawing = 0;
  let found = null; // records that fit the search text, or null when there is none
  let ticks = new Set();
  const storageKey = "colorize-redo " + location.pathname;

  // ---- data

  function load(name) {
    let entry = loading.get(name);
    if (!entry) {
      entry = {};
      entry.promise = new Promise((resolve, reject) => {
        entry.resolve = resolve;
        const script = document.createElement("script");
        script.src = index.data + "/" + name + ".js";
        script.onerror = () => reject(new Error("cannot read " + script.src));
        script.onload = () => script.remove();
        document.head.append(script);
      });
    } else {
      loading.delete(name); // to the end: the map is in order of last use
    }
    loading.set(name, entry);
    for (const old of loading.keys()) {
      if (loading.size <= CHUNKS_KEPT) break;
      loading.delete(old);
    }
    return entry.promise;
  }

  const fits = (record, filter) =>
    filter === "all" ||
    (filter === "suspicious" && Boolean(record.suspicious)) ||
    (filter === "unread" && Boolean(record.unread)) ||
    (filter === "films" && record.kind === "film") ||
    record.status === filter;

  async function collect(filter, from, count) {
    const records = [];
    let passed = 0;
    for (const chunk of index.chunks) {
      const here = chunk.counts[filter] || 0;
      if (here && passed + here > from) {
        const fitting = (await load(chunk.name)).filter((record) => fits(record, filter));
        records.push(...fitting.slice(Math.max(0, from - passed), from + count - passed));
        if (records.length >= count) break;
      }
      passed += here;
    }
    return records;
  }

  async function searchAll(text, filter, still) {
    const records = [];
    for (const chunk of index.chunks) {
      if (!chunk.counts[filter]) continue;
      for (const record of await load(chunk.name)) {
        if (fits(record, filter) && record.name.toLowerCase().includes(text)) records.push(record);
      }
      if (!still()) return null;
    }
    return records;
  }

  // ---- grid

  function make(tag, className, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function picture(url, alt, pair, className) {
    const image = make("img", className);
    image.loading = "lazy";
    image.decoding = "async";
    image.width = pair.width;
    image.height = pair.height;
    image.alt = alt;
    image.src = url;
    return image;
  }

  function describe(record) {
    if (record.status === "failed") return "failed";
    if (record.status === "skipped") return "skipped, kept as it was";
    return "colorized";
  }

  function notesOf(record) {
    const notes = (record.suspicious || []).map((text) => ["Look", text]);
    // What is lost has a line of its own.
    const lost = (record.lost || []).map((what) => "lost: " + what);
    const reason = (record.reason || "").split("; ").filter((part) => !lost.includes(part)).join("; ");
    if (reason) notes.push(["Reason", reason]);
    if (record.lost) notes.push(["Lost", record.lost.join(", ")]);
    if (record.remedy) notes.push(["Remedy", record.remedy]);
    if (record.kept) notes.push(["Kept", record.kept.join(", ")]);
    return notes;
  }

  function card(record, position) {
    const item = make("li", "card");
    const shot = make("button", "shot");
    shot.type = "button";
    shot.setAttribute("aria-label", "Compare " + record.name + " (" + describe(record) + ")");
    shot.addEventListener("click", () => openViewer(position));
    if (record.thumbs) {
      shot.append(picture(record.thumbs.after, "After: " + record.name, record.thumbs));
      const showBefore = () => {
        if (shot.querySelector(".before")) return;
        shot.append(picture(record.thumbs.before, "Before: " + record.name, record.thumbs, "before"));
      };
      shot.addEventListener("pointerenter", showBefore);
      shot.addEventListener("focus", showBefore);
    } else {
      shot.append(make("span", "still", record.status === "failed" ? "No result" : "No preview"));
    }
    if (record.kind === "film") shot.append(make("span", "chip", "Film"));

    const text = make("div", "card-text");
    const slash = record.name.lastIndexOf("/") + 1;
    const name = make("span", "name", record.name.slice(slash));
    name.title = record.name;
    text.append(name);
    if (slash > 1) text.append(make("span", "folder", record.name.slice(0, slash - 1)));
    const notes = notesOf(record);
    const note = notes.find(([kind]) => kind !== "Kept");
    if (note) text.append(make("span", "note", (note[0] === "Lost" ? "lost: " : "") + note[1]));
    const row = make("div", "row");
    if (record.suspicious) row.append(make("span", "badge suspicious", "look"));
    if (record.status !== "done") row.append(make("span", "badge " + record.status, record.status));
    row.append(tickBox(record, item));
    text.append(row);
    item.append(shot, text);
    item.classList.toggle("ticked", ticks.has(record.source));
    return item;
  }

  function tickBox(record, item) {
    const label = make("label", "tick");
    const box = make("input");
    box.type = "checkbox";
    box.checked = ticks.has(record.source);
    box.setAttribute("aria-label", "Redo " + record.name);
    box.addEventListener("change", () => setTick(record, box.checked));
    label.append(box, "Redo");
    item.sync = () => {
      box.checked = ticks.has(record.source);
      item.classList.toggle("ticked", box.checked);
    };
    return label;
  }

  const total = () => (found ? found.length : index.filters[state.filter]);
  const pages = () => Math.max(1, Math.ceil(total() / PAGE));

  async function draw() {
    const turn = ++drawing;
    const status = byId("status");
    try {
      if (state.search) {
        status.textContent = "Searching…";
        found = await searchAll(state.search.toLowerCase(), state.filter, () => turn === drawing);
      } else {
        found = null;
      }
      if (turn !== drawing) return;
      state.page = Math.min(Math.max(1, state.page), pages());
      const from = (state.page - 1) * PAGE;
      const records = found ? found.slice(from, from + PAGE) : await collect(state.filter, from, PAGE);
      if (turn !== drawing) return;
      state.shown = records;
      byId("grid").replaceChildren(...records.map(card));
      const last = from + records.length;
      status.textContent = records.length
        ? (from + 1).toLocaleString("en") + "–" + last.toLocaleString("en") + " of " + total().toLocaleString("en")
        : state.search ? "Nothing has this in its name." : "Nothing here.";
    } catch (error) {
      status.textContent = "The page's data is incomplete (" + error.message + "). Write it again: make report OUT=…";
    }
    for (const button of document.querySelectorAll("[data-filter]")) {
      button.setAttribute("aria-pressed", String(button.dataset.filter === state.filter));
    }
    byId("pager").hidden = pages() < 2;
    byId("page").value = state.page;
    byId("page").max = pages();
    byId("pages").textContent = pages().toLocaleString("en");
    byId("previous").disabled = state.page <= 1;
    byId("next").disabled = state.page >= pages();
    showTicks();
    history.replaceState(null, "", "#" + state.filter + "/" + state.page);
  }

  function show(changes) {
    Object.assign(state, changes);
    return draw();
  }

  async function turnPage(by) {
    await show({ page: state.page + by });
    byId("grid").focus();
    byId("results-title").scrollIntoView();
  }

  // ---- redo list

  function setTick(record, on) {
    if (on) ticks.add(record.source);
    else ticks.delete(record.source);
    keepTicks();
  }

  function keepTicks() {
    try {
      localStorage.setItem(storageKey, JSON.stringify([...ticks]));
    } catch {
      // Storage can be switched off; ticks then last as long as the page is open.
    }
    for (const item of byId("grid").children) item.sync();
    showTicks();
    if (state.open >= 0) byId("viewer-tick").checked = ticks.has(state.shown[state.open].source);
  }

  function showTicks() {
    byId("redo").hidden = ticks.size === 0;
    byId("ticked").textContent = ticks.size.toLocaleString("en") + " ticked for redo";
  }

  async function tickAll() {
    const records = found || (await collect(state.filter, 0, index.filters[state.filter]));
    for (const record of records) ticks.add(record.source);
    keepTicks();
  }

  // One path per line; a path that could be misread stands as a JSON string.
  function redoLine(source) {
    const plain = /^[^\s"#][^\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]*$/.test(source) && source === source.trim();
    if (plain) return source;
    return JSON.stringify(source).replace(/[\u007f-\uffff]/g, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
  }

  function exportRedo() {
    const lines = [...ticks].sort().map((source) => redoLine(source) + "\n");
    const link = make("a");
    link.href = URL.createObjectURL(new Blob(lines, { type: "text/plain" }));
    link.download = "redo.txt";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // ---- viewer

  function setDivider() {
    const at = byId("slider").value;
    byId("compare").style.setProperty("--at", at + "%");
    byId("slider").setAttribute("aria-valuetext", at + " % before");
  }

  function showPair(pair, name) {
    const compare = byId("compare");
    compare.hidden = !pair;
    if (!pair) return;
    compare.style.aspectRatio = pair.width + " / " + pair.height;
    // As wide as the dialog allows, but never taller than 64 % of the window.
    compare.style.width = "min(100%, calc(64vh * " + pair.width / pair.height + "), " + pair.width * 2.5 + "px)";
    for (const role of ["before", "after"]) {
      const image = byId("compare-" + role);
      image.src = pair[role];
      image.alt = (role === "before" ? "Before: " : "After: ") + name;
    }
  }

  function clock(seconds) {
    const whole = Math.floor(seconds);
    const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
    if (!parts[0]) parts.shift();
    return parts.map((part, i) => (i ? String(part).padStart(2, "0") : String(part))).join(":");
  }

  function stripFrame(frame, record) {
    const item = make("li");
    const button = make("button");
    button.type = "button";
    button.setAttribute("aria-label", "Frame at " + clock(frame.time));
    button.append(picture(frame.after, "", frame), make("span", "", clock(frame.time)));
    button.addEventListener("click", () => {
      for (const other of byId("strip").querySelectorAll("button")) other.removeAttribute("aria-current");
      button.setAttribute("aria-current", "true");
      showPair(frame, record.name + " at " + clock(frame.time));
    });
    item.append(button);
    return item;
  }

  function openViewer(position) {
    const record = state.shown[position];
    if (!record) return;
    state.open = position;
    byId("viewer-name").textContent = record.name;
    byId("slider").value = 50;
    setDivider();
    showPair(record.thumbs, record.name);
    const none = byId("viewer-none");
    none.hidden = Boolean(record.thumbs);
    none.textContent = record.status === "failed" ? "No result was written." : "There is no preview of this item.";
    byId("strip").replaceChildren(...(record.strip || []).map((frame) => stripFrame(frame, record)));
    const preview = byId("preview");
    preview.pause();
    preview.hidden = !record.preview;
    if (record.preview) preview.src = record.preview;
    else preview.removeAttribute("src");
    byId("viewer-notes").replaceChildren(...notesOf(record).map(([kind, text]) => {
      const item = make("li");
      item.append(make("strong", "", kind + ": "), text);
      return item;
    }));
    byId("viewer-facts").replaceChildren(...(record.facts || []).map(([name, value]) => {
      const row = make("div");
      row.append(make("dt", "", name), make("dd", "", value));
      return row;
    }));
    byId("viewer-tick").checked = ticks.has(record.source);
    setLink("viewer-open", record.href);
    setLink("viewer-side", record.side);
    byId("viewer-previous").disabled = position === 0 && state.page === 1;
    byId("viewer-next").disabled = position === state.shown.length - 1 && state.page >= pages();
    if (!byId("viewer").open) byId("viewer").showModal();
    (record.thumbs ? byId("slider") : byId("viewer-close")).focus();
  }

  function setLink(id, url) {
    const link = byId(id);
    link.hidden = !url;
    if (url) link.href = url;
    else link.removeAttribute("href");
  }

  async function step(by) {
    const to = state.open + by;
    if (to >= 0 && to < state.shown.length) return openViewer(to);
    if (to < 0 && state.page > 1) {
      await show({ page: state.page - 1 });
      return openViewer(state.shown.length - 1);
    }
    if (to >= state.shown.length && state.page < pages()) {
      await show({ page: state.page + 1 });
      return openViewer(0);
    }
    return undefined;
  }

  function viewerKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key.toLowerCase();
    if (key === "n") step(1);
    else if (key === "p") step(-1);
    else if (key === "r") setTick(state.shown[state.open], !ticks.has(state.shown[state.open].source));
    else return;
    event.preventDefault();
  }

  function closed() {
    // The browser reports it a moment later, when the next picture may be open already.
    if (byId("viewer").open) return;
    const item = byId("grid").children[state.open];
    state.open = -1;
    byId("preview").pause();
    if (item) item.querySelector(".shot").focus();
  }

  // ---- start

  function toggleTheme() {
    const root = document.documentElement;
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    nameTheme();
  }

  function nameTheme() {
    const theme = document.documentElement.dataset.theme;
    const dark = theme ? theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    byId("theme").textContent = dark ? "Light" : "Dark";
    byId("theme").setAttribute("aria-label", dark ? "Light background" : "Dark background");
  }

  function listen() {
    for (const button of document.querySelectorAll("[data-filter]")) {
      button.addEventListener("click", () => show({ filter: button.dataset.filter, page: 1 }));
    }
    let typing;
    byId("search").addEventListener("input", (event) => {
      clearTimeout(typing);
      typing = setTimeout(() => show({ search: event.target.value.trim(), page: 1 }), 200);
    });
    byId("previous").addEventListener("click", () => turnPage(-1));
    byId("next").addEventListener("click", () => turnPage(1));
    byId("page").addEventListener("change", (event) => show({ page: Math.floor(Number(event.target.value)) || 1 }));
    byId("theme").addEventListener("click", toggleTheme);
    byId("slider").addEventListener("input", setDivider);
    byId("viewer").addEventListener("keydown", viewerKey);
    byId("viewer").addEventListener("close", closed);
    byId("viewer").addEventListener("click", (event) => {
      if (event.target === byId("viewer")) byId("viewer").close();
    });
    byId("viewer-close").addEventListener("click", () => byId("viewer").close());
    byId("viewer-previous").addEventListener("click", () => step(-1));
    byId("viewer-next").addEventListener("click", () => step(1));
    byId("viewer-tick").addEventListener("change", (event) => setTick(state.shown[state.open], event.target.checked));
    byId("tick-all").addEventListener("click", tickAll);
    byId("clear").addEventListener("click", () => {
      ticks.clear();
      keepTicks();
    });
    byId("export").addEventListener("click", exportRedo);
  }

  function start(data) {
    index = data;
    try {
      const kept = JSON.parse(localStorage.getItem(storageKey) || "[]");
      if (Array.isArray(kept)) ticks = new Set(kept.filter((source) => typeof source === "string"));
    } catch {
      ticks = new Set();
    }
    const [filter, page] = location.hash.slice(1).split("/");
    if (index.filters[filter]) state.filter = filter;
    state.page = Math.floor(Number(page)) || 1;
    nameTheme();
    listen();
    return draw();
  }

  function chunk(name, records) {
    const entry = loading.get(name);
    if (entry) entry.resolve(records);
  }

  return { start, chunk };
})();
