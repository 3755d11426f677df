"use strict";
// One item in large: before and after under a divider, a film with its shots, what is known of it.
const colorizeViewer = (() => {
  const { byId, make, picture, word, state } = colorizeReport;

  function setDivider() {
    const at = byId("slider").value;
    byId("compare").style.setProperty("--at", at + "%");
    byId("slider").setAttribute("aria-valuetext", at + " % " + word("before").toLowerCase());
  }

  function showPair(pair, name) {
    const compare = byId("compare");
    compare.hidden = !pair;
    if (!pair) return;
    compare.style.aspectRatio = pair.width + " / " + pair.height;
    compare.dataset.aspect = pair.width / pair.height;
    for (const role of ["before", "after"]) {
      const image = byId("compare-" + role);
      image.src = pair[role];
      image.alt = word(role) + ": " + name;
    }
    fit();
  }

  // As wide as the dialog allows, but never taller than 70 % of the window; zoomed: pixel by pixel.
  function fit() {
    const compare = byId("compare");
    const stage = byId("stage");
    const zoomed = byId("viewer-zoom").getAttribute("aria-pressed") === "true";
    const natural = Math.max(byId("compare-after").naturalWidth, stage.clientWidth * 2);
    stage.classList.toggle("zoomed", zoomed);
    compare.style.width = zoomed ? natural + "px" : "min(100%, calc(70vh * " + compare.dataset.aspect + "))";
    if (zoomed) {
      stage.scrollLeft = (stage.scrollWidth - stage.clientWidth) / 2;
      stage.scrollTop = (stage.scrollHeight - stage.clientHeight) / 2;
    }
  }

  function zoom(on) {
    byId("viewer-zoom").setAttribute("aria-pressed", String(on));
    fit();
  }

  // The result itself and a large picture of the source take the place of the small pair.
  function showLarge(record) {
    if (record.kind === "film") return;
    const large = record.large || {};
    const urls = { before: large.source, after: record.shows ? record.href : large.result };
    for (const [role, url] of Object.entries(urls)) {
      if (!url) continue;
      const image = new Image();
      image.addEventListener("load", () => {
        if (state.shown[state.open] !== record) return;
        byId("compare-" + role).src = url;
        if (!record.thumbs && role === "after") showPair({ before: url, after: url, width: image.naturalWidth, height: image.naturalHeight }, record.name);
      });
      image.src = url;
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
    button.setAttribute("aria-label", word("frameAt") + " " + clock(frame.time));
    button.append(picture(frame.after, "", frame), make("span", "", clock(frame.time)));
    button.addEventListener("click", () => {
      for (const other of byId("strip").querySelectorAll("button")) other.removeAttribute("aria-current");
      button.setAttribute("aria-current", "true");
      showPair(frame, record.name + ", " + clock(frame.time));
      byId("film").currentTime = frame.time;
    });
    item.append(button);
    return item;
  }

  // ---- films

  function showFilm(record) {
    const film = byId("film");
    film.pause();
    film.hidden = !(record.kind === "film" && record.shows && record.href);
    if (film.hidden) film.removeAttribute("src");
    else film.src = record.href;
    film.poster = record.thumbs ? record.thumbs.after : "";
    showPreview(film.hidden ? record : {});
    const shots = film.hidden ? [] : record.shots || [];
    byId("timeline").replaceChildren(...shots.map((start, i) => {
      const item = make("li");
      const button = make("button");
      button.type = "button";
      item.style.flexGrow = (shots[i + 1] || 1) - start;
      button.setAttribute("aria-label", word("shot") + " " + (i + 1));
      button.addEventListener("click", () => {
        film.currentTime = start * (film.duration || 0);
      });
      item.append(button);
      return item;
    }));
  }

  function showPreview(record) {
    const preview = byId("preview");
    preview.pause();
    preview.hidden = !record.preview;
    if (record.preview) preview.src = record.preview;
    else preview.removeAttribute("src");
  }

  // A codec that this browser has not: what was made for the page takes its place.
  function cannotPlay() {
    const record = state.shown[state.open];
    if (!record || byId("film").hidden) return;
    byId("film").hidden = true;
    byId("timeline").replaceChildren();
    showPreview(record);
  }

  function markShot() {
    const film = byId("film");
    const record = state.shown[state.open];
    if (!record || !film.duration) return;
    const at = film.currentTime / film.duration + 1e-4;
    const now = (record.shots || []).filter((start) => start <= at).length - 1;
    [...byId("timeline").children].forEach((item, i) => {
      if (i === now) item.firstChild.setAttribute("aria-current", "true");
      else item.firstChild.removeAttribute("aria-current");
    });
  }

  // ---- opening and stepping

  function open(position) {
    const record = state.shown[position];
    if (!record) return;
    state.open = position;
    if (!byId("viewer").open) byId("viewer").showModal();
    byId("viewer-name").textContent = record.name;
    byId("slider").value = 50;
    byId("viewer-zoom").setAttribute("aria-pressed", "false");
    setDivider();
    showPair(record.thumbs, record.name);
    showLarge(record);
    showFilm(record);
    const none = byId("viewer-none");
    none.hidden = Boolean(record.thumbs || record.shows);
    none.textContent = word(record.status === "failed" ? "noneWritten" : "noPreviewHere");
    byId("strip").replaceChildren(...(record.strip || []).map((frame) => stripFrame(frame, record)));
    showTexts(record);
    byId("viewer-tick").checked = colorizeReport.ticks().has(record.source);
    setLink("viewer-open", record.href);
    setLink("viewer-side", record.side);
    byId("viewer-previous").disabled = position === 0 && state.page === 1;
    byId("viewer-next").disabled = position === state.shown.length - 1 && state.page >= colorizeReport.pages();
    const shown = record.thumbs ? byId("slider") : byId("viewer-close");
    (byId("film").hidden ? shown : byId("film")).focus();
  }

  function showTexts(record) {
    byId("viewer-notes").replaceChildren(...colorizeReport.notesOf(record).map(([kind, text]) => {
      const item = make("li");
      item.append(make("strong", "", word(kind) + ": "), text);
      return item;
    }));
    byId("viewer-facts").replaceChildren(...(record.facts || []).map(([name, value]) => {
      const row = make("div");
      row.append(make("dt", "", word(name)), make("dd", "", value));
      return row;
    }));
  }

  function setLink(id, url) {
    const link = byId(id);
    link.hidden = !url;
    if (url) link.href = url;
    else link.removeAttribute("href");
  }

  async function step(by) {
    const to = state.open + by;
    if (to >= 0 && to < state.shown.length) return open(to);
    if (to < 0 && state.page > 1) {
      await colorizeReport.show({ page: state.page - 1 });
      return open(state.shown.length - 1);
    }
    if (to >= state.shown.length && state.page < colorizeReport.pages()) {
      await colorizeReport.show({ page: state.page + 1 });
      return open(0);
    }
    return undefined;
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const record = state.shown[state.open];
    const pressed = event.key.toLowerCase();
    if (pressed === "n") step(1);
    else if (pressed === "p") step(-1);
    else if (pressed === "r") colorizeReport.setTick(record, !colorizeReport.ticks().has(record.source));
    else if (pressed === "z") zoom(byId("viewer-zoom").getAttribute("aria-pressed") !== "true");
    else return;
    event.preventDefault();
  }

  function closed() {
    // The browser reports it a moment later, when the next picture may be open already.
    if (byId("viewer").open) return;
    const item = byId("grid").children[state.open];
    state.open = -1;
    byId("preview").pause();
    byId("film").pause();
    if (item) item.querySelector(".shot").focus();
  }

  function listen() {
    byId("slider").addEventListener("input", setDivider);
    byId("viewer").addEventListener("keydown", key);
    byId("viewer").addEventListener("close", closed);
    byId("viewer").addEventListener("click", (event) => {
      if (event.target === byId("viewer")) byId("viewer").close();
    });
    byId("viewer-close").addEventListener("click", () => byId("viewer").close());
    byId("viewer-previous").addEventListener("click", () => step(-1));
    byId("viewer-next").addEventListener("click", () => step(1));
    byId("viewer-zoom").addEventListener("click", () => zoom(byId("viewer-zoom").getAttribute("aria-pressed") !== "true"));
    byId("viewer-tick").addEventListener("change", (event) => colorizeReport.setTick(state.shown[state.open], event.target.checked));
    byId("film").addEventListener("error", cannotPlay);
    byId("film").addEventListener("timeupdate", markShot);
    byId("film").addEventListener("seeked", markShot);
  }

  return { open, listen };
})();
