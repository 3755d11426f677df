"use strict";
// Data files call colorizeReport.start(), .chunk() and .orders(), languages call .language(): pages
// opened from the disk may not fetch. Every text from an item is set with textContent or as an
// attribute, never as markup.
const colorizeReport = (() => {
  const PAGE = 60;
  const CHUNKS_KEPT = 24;
  const WIDE = 900; // pixels from which the folders are open
  const byId = (id) => document.getElementById(id);
  const state = { filter: "all", page: 1, search: "", sort: "doubt", folder: 0, shown: [], open: -1 };
  const loading = new Map(); // chunk name -> {promise, resolve}
  const languages = new Map(); // "de" -> words by key
  let words = {};
  let index = null;
  let starts = []; // position of the first record of each chunk
  let drawing = 0;
  let listed = null; // positions of all records to show, or null for those of the filter as they lie
  let listedFor = "";
  let ticks = new Set();
  const storageKey = "colorize-redo " + location.pathname;

  // ---- words

  const word = (key) => words[key] || (languages.get("en") || {})[key] || key;
  const number = (value) => value.toLocaleString(document.documentElement.lang);

  function speak(code) {
    words = languages.get(code) || languages.get("en") || {};
    document.documentElement.lang = languages.has(code) ? code : "en";
    for (const element of document.querySelectorAll("[data-t]")) {
      if (words[element.dataset.t]) element.textContent = words[element.dataset.t];
    }
    for (const element of document.querySelectorAll("[data-t-label]")) {
      element.setAttribute("aria-label", word(element.dataset.tLabel));
    }
    for (const element of document.querySelectorAll("[data-t-placeholder]")) {
      element.placeholder = word(element.dataset.tPlaceholder);
    }
    byId("language").value = document.documentElement.lang;
    nameTheme();
  }

  function chooseLanguage() {
    byId("language").replaceChildren(...index.languages.map((code) => {
      const option = make("option", "", (languages.get(code) || {}).name || code);
      option.value = code;
      return option;
    }));
    const wished = [remembered("colorize-language"), ...navigator.languages];
    speak(wished.map((code) => String(code).slice(0, 2)).find((code) => languages.has(code)) || "en");
  }

  function remembered(key) {
    try {
      return localStorage.getItem(key);
    } catch {
      return null;
    }
  }

  function remember(key, value) {
    try {
      localStorage.setItem(key, value);
    } catch {
      // Storage can be switched off; choices then last as long as the page is open.
    }
  }

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

  async function at(positions) {
    const records = [];
    for (const position of positions) {
      let chunk = starts.findIndex((start) => start > position) - 1;
      if (chunk < 0) chunk = starts.length - 1;
      records.push((await load(index.chunks[chunk].name))[position - starts[chunk]]);
    }
    return records;
  }

  async function found(text, still) {
    const positions = new Set();
    for (const [i, chunk] of index.chunks.entries()) {
      (await load(chunk.name)).forEach((record, at) => {
        if (record.name.toLowerCase().includes(text)) positions.add(starts[i] + at);
      });
      if (!still()) return null;
    }
    return positions;
  }

  // Positions of what is shown, in order; null where the filter alone decides.
  async function list(still) {
    const plain = state.sort === "doubt" && state.folder === 0 && !state.search;
    const wanted = [state.filter, state.sort, state.folder, state.search].join("/");
    if (plain) return null;
    if (listed && listedFor === wanted) return listed;
    const orders = await load("orders");
    const matches = state.search ? await found(state.search.toLowerCase(), still) : null;
    if (!still()) return null;
    const bit = Object.keys(index.filters).indexOf(state.filter);
    const inside = below(state.folder);
    const order = state.sort === "doubt" ? orders.flags.keys() : orders[state.sort];
    listedFor = wanted;
    return [...order].filter(
      (p) => (orders.flags[p] >> bit) & 1 && inside[orders.folder[p]] && (!matches || matches.has(p)),
    );
  }

  // ---- folders

  function below(folder) {
    const inside = [];
    index.folders.forEach(([, above], i) => inside.push(i === folder || (above >= 0 && inside[above])));
    return inside;
  }

  function branch(folder) {
    const [name, , count] = index.folders[folder];
    const item = make("li");
    const children = index.folders.flatMap(([, above], i) => (above === folder ? [i] : []));
    const row = make("div", "branch");
    const open = make("button", "toggle", children.length ? "▸" : "");
    open.type = "button";
    open.disabled = !children.length;
    open.setAttribute("aria-expanded", "false");
    open.setAttribute("aria-label", name || word("allFolders"));
    const pick = make("button", "folder-name", name || word("allFolders"));
    pick.type = "button";
    pick.dataset.folder = folder;
    if (!folder) pick.dataset.t = "allFolders";
    pick.append(" ", make("span", "count", number(count)));
    pick.addEventListener("click", () => show({ folder, page: 1 }));
    const inner = make("ul");
    inner.hidden = true;
    const turn = () => {
      if (!inner.children.length) inner.append(...children.map(branch));
      inner.hidden = !inner.hidden;
      open.setAttribute("aria-expanded", String(!inner.hidden));
    };
    open.addEventListener("click", turn);
    row.append(open, pick);
    item.append(row, inner);
    if (!folder) turn();
    return item;
  }

  function plantTree() {
    byId("folders").hidden = index.folders.length < 2;
    byId("folders").open = innerWidth >= WIDE;
    byId("tree").replaceChildren(branch(0));
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

  const describe = (record) =>
    word(record.status === "failed" ? "isFailed" : record.status === "skipped" ? "isSkipped" : "isColored");

  // "cast: ..." in the page's language, where that has words for it.
  function why(text) {
    return words["why " + text.split(":")[0]] || text;
  }

  function notesOf(record) {
    const notes = (record.suspicious || []).map((text) => ["look", why(text)]);
    // What is lost has a line of its own.
    const lost = (record.lost || []).map((what) => "lost: " + what);
    const reason = (record.reason || "").split("; ").filter((part) => !lost.includes(part)).join("; ");
    if (reason) notes.push(["reason", reason]);
    if (record.lost) notes.push(["lost", record.lost.join(", ")]);
    if (record.remedy) notes.push(["remedy", record.remedy]);
    if (record.kept) notes.push(["kept", record.kept.join(", ")]);
    return notes;
  }

  function card(record, position) {
    const item = make("li", "card");
    const shot = make("button", "shot");
    shot.type = "button";
    shot.setAttribute("aria-label", word("compare") + " " + record.name + " (" + describe(record) + ")");
    shot.addEventListener("click", () => openViewer(position));
    if (record.thumbs) {
      shot.append(picture(record.thumbs.after, word("after") + ": " + record.name, record.thumbs));
      item.showBefore = () => {
        if (shot.querySelector(".before")) return;
        shot.append(picture(record.thumbs.before, word("before") + ": " + record.name, record.thumbs, "before"));
      };
      shot.addEventListener("pointerenter", item.showBefore);
      shot.addEventListener("focus", item.showBefore);
    } else {
      shot.append(make("span", "still", word(record.status === "failed" ? "noResult" : "noPreview")));
    }
    if (record.kind === "film") shot.append(make("span", "chip", word("film")));

    const text = make("div", "card-text");
    const slash = record.name.lastIndexOf("/") + 1;
    const name = make("span", "name", record.name.slice(slash));
    name.title = record.name;
    text.append(name);
    if (slash > 1) text.append(make("span", "folder", record.name.slice(0, slash - 1)));
    const note = notesOf(record).find(([kind]) => kind !== "kept");
    if (note) text.append(make("span", "note", (note[0] === "lost" ? word("lost") + ": " : "") + note[1]));
    const row = make("div", "row");
    if (record.suspicious) row.append(make("span", "badge suspicious", word("look")));
    if (record.status !== "done") row.append(make("span", "badge " + record.status, word(record.status)));
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
    box.setAttribute("aria-label", word("redo") + " " + record.name);
    box.addEventListener("change", () => setTick(record, box.checked));
    label.append(box, word("redo"));
    item.sync = () => {
      box.checked = ticks.has(record.source);
      item.classList.toggle("ticked", box.checked);
    };
    return label;
  }

  const total = () => (listed ? listed.length : index.filters[state.filter]);
  const pages = () => Math.max(1, Math.ceil(total() / PAGE));

  async function draw() {
    const turn = ++drawing;
    const still = () => turn === drawing;
    const status = byId("status");
    try {
      if (state.search) status.textContent = word("searching");
      const positions = await list(still);
      if (!still()) return;
      listed = positions;
      state.page = Math.min(Math.max(1, state.page), pages());
      const from = (state.page - 1) * PAGE;
      const records = listed
        ? await at(listed.slice(from, from + PAGE))
        : await collect(state.filter, from, PAGE);
      if (!still()) return;
      state.shown = records;
      byId("grid").replaceChildren(...records.map(card));
      const last = from + records.length;
      status.textContent = records.length
        ? number(from + 1) + "–" + number(last) + " " + word("of") + " " + number(total())
        : word(state.search ? "notFound" : "nothing");
    } catch (error) {
      status.textContent = word("incomplete") + " (" + error.message + ")";
    }
    mark();
    showTicks();
    const more = state.sort === "doubt" && !state.folder ? "" : "/" + state.sort + "/" + state.folder;
    history.replaceState(null, "", "#" + state.filter + "/" + state.page + more);
  }

  // Everything around the grid that tells what it shows.
  function mark() {
    for (const button of document.querySelectorAll("[data-filter]")) {
      button.setAttribute("aria-pressed", String(button.dataset.filter === state.filter));
    }
    for (const button of document.querySelectorAll("[data-folder]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.folder) === state.folder));
    }
    const meaning = word("means " + state.filter);
    byId("meaning").hidden = meaning.startsWith("means ");
    byId("meaning").textContent = meaning;
    byId("sort").value = state.sort;
    byId("pager").hidden = pages() < 2;
    byId("page").value = state.page;
    byId("page").max = pages();
    byId("pages").textContent = number(pages());
    byId("previous").disabled = state.page <= 1;
    byId("next").disabled = state.page >= pages();
  }

  function show(changes) {
    Object.assign(state, changes);
    return draw();
  }

  async function turnPage(by) {
    await show({ page: state.page + by });
    byId("grid").focus();
    scrollTo(0, 0);
  }

  // ---- redo list

  function setTick(record, on) {
    if (on) ticks.add(record.source);
    else ticks.delete(record.source);
    keepTicks();
  }

  function keepTicks() {
    remember(storageKey, JSON.stringify([...ticks]));
    for (const item of byId("grid").children) item.sync();
    showTicks();
    if (state.open >= 0) byId("viewer-tick").checked = ticks.has(state.shown[state.open].source);
  }

  function showTicks() {
    byId("redo").hidden = ticks.size === 0;
    byId("ticked").textContent = number(ticks.size) + " " + word("ticked");
  }

  async function tickAll() {
    const records = listed ? await at(listed) : await collect(state.filter, 0, index.filters[state.filter]);
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

  // ---- viewer: see viewer.js

  const openViewer = (position) => colorizeViewer.open(position);

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
    byId("theme").textContent = word(dark ? "light" : "dark");
    byId("theme").setAttribute("aria-label", word(dark ? "lightBackground" : "darkBackground"));
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
    byId("sort").addEventListener("change", (event) => show({ sort: event.target.value, page: 1 }));
    byId("language").addEventListener("change", (event) => {
      remember("colorize-language", event.target.value);
      speak(event.target.value);
      plantTree();
      draw();
    });
    byId("previous").addEventListener("click", () => turnPage(-1));
    byId("next").addEventListener("click", () => turnPage(1));
    byId("page").addEventListener("change", (event) => show({ page: Math.floor(Number(event.target.value)) || 1 }));
    byId("theme").addEventListener("click", toggleTheme);
    byId("print").addEventListener("click", () => window.print());
    addEventListener("beforeprint", () => {
      for (const item of byId("grid").children) {
        if (item.showBefore) item.showBefore();
        for (const image of item.querySelectorAll("img")) image.loading = "eager";
      }
    });
    byId("tick-all").addEventListener("click", tickAll);
    byId("clear").addEventListener("click", () => {
      ticks.clear();
      keepTicks();
    });
    byId("export").addEventListener("click", exportRedo);
    colorizeViewer.listen();
  }

  function start(data) {
    index = data;
    let passed = 0;
    starts = index.chunks.map((chunk) => (passed += chunk.count) - chunk.count);
    try {
      const kept = JSON.parse(remembered(storageKey) || "[]");
      if (Array.isArray(kept)) ticks = new Set(kept.filter((source) => typeof source === "string"));
    } catch {
      ticks = new Set();
    }
    const [filter, page, sort, folder] = location.hash.slice(1).split("/");
    if (index.filters[filter]) state.filter = filter;
    if (["name", "date", "kind"].includes(sort)) state.sort = sort;
    if (index.folders[Number(folder)]) state.folder = Number(folder);
    state.page = Math.floor(Number(page)) || 1;
    chooseLanguage();
    plantTree();
    listen();
    return draw();
  }

  function chunk(name, records) {
    const entry = loading.get(name);
    if (entry) entry.resolve(records);
  }

  return {
    start,
    chunk,
    orders: (arrays) => chunk("orders", arrays),
    language: (code, found) => languages.set(code, found),
    // For the viewer.
    state, ticks: () => ticks, byId, make, picture, word, notesOf, setTick, show, pages,
  };
})();
