// One picture: its colors, its settings, the decision.

import * as api from "./api.js";
import { Chooser } from "./chooser.js";
import { Film } from "./film.js";
import { Stage } from "./stage.js";
import { t } from "./words.js";

const DISPLAY = 1280; // long side of what is shown until real pixels are asked for
const LOOKS = ["natural", "calm", "vivid"];
const SETTINGS = { strength: "render.strength", size: "render.size" };
const byId = (id) => document.getElementById(id);

export class Viewer {
  constructor({ closed, changed, beside }) {
    Object.assign(this, { closed, changed, beside });
    this.item = null;
    this.page = 1;
    this.turn = 0;
    this.urls = {};
    this.palette = {};
    this.stage = new Stage({ onPlace: (x, y, event) => this.placed(x, y, event), onArea: (line) => this.areaDrawn(line), onZoom: () => this.sharpen() });
    this.chooser = new Chooser(this);
    this.film = new Film(this);
    this.listenToButtons();
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("keyup", (event) => event.key.toLowerCase() === "b" && byId("stage").classList.remove("was"));
    this.listenToDrop();
  }

  get isOpen() { return !byId("viewer").hidden; }

  async open(id) {
    const turn = ++this.turn;
    this.chooser.close();
    byId("viewer").hidden = false;
    byId("overview").inert = true;
    document.body.style.overflow = "hidden";
    this.setMode("place");
    this.message("");
    this.tried = {};
    const quick = this.item?.id === id ? this.item : null;
    this.item = quick ?? { id, parts: [], settings: {}, reasons: [] };
    this.film.leave();
    if (!quick) this.showThumbnail(id);
    try {
      const item = await api.get(`/api/item/${id}`);
      if (turn !== this.turn) return;
      this.page = 1;
      this.item = item;
      this.render();
      this.film.open(item);
      await this.show();
    } catch (error) { this.fail(error); }
    byId("stage").focus({ preventScroll: true });
  }

  close() {
    this.chooser.close();
    this.turn += 1;
    this.saveNote();
    this.film.leave();
    byId("viewer").hidden = true;
    byId("overview").inert = false;
    document.body.style.overflow = "";
    const id = this.item?.id;
    this.item = null;
    this.closed(id);
  }

  async step(by) {
    this.saveNote();
    const id = await this.beside(this.item.id, by);
    if (id) location.hash = id;
  }

  showThumbnail(id) {
    byId("name").textContent = "";
    for (const side of ["after", "before"]) {
      const image = byId(side);
      image.onload = side === "after" ? () => this.stage.setSize(...this.shownSize(image)) : null;
      image.src = `/thumb/${id}/${side}`;
    }
    byId("points").replaceChildren();
    byId("marks").replaceChildren();
  }

  // Real pixels of the picture: zoom counts in them.
  shownSize(image) {
    const { width, height } = this.item ?? {};
    return width && height ? [width, height] : [image.naturalWidth, image.naturalHeight];
  }

  render() {
    const { item } = this;
    byId("name").textContent = item.name;
    byId("name").title = item.name;
    byId("accept").setAttribute("aria-pressed", item.decision === "accepted");
    byId("reject").setAttribute("aria-pressed", item.decision === "rejected");
    byId("accept").disabled = !item.result;
    byId("note").value = document.activeElement === byId("note") ? byId("note").value : item.note;
    byId("reasons").replaceChildren(...this.reasons().map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    byId("share").href = `/share/${item.id}`;
    byId("share").hidden = !item.result;
    for (const [id, name] of Object.entries(SETTINGS)) {
      byId(id).value = item.settings[name];
      this.showValue(id);
    }
    byId("look").replaceChildren(...LOOKS.map((look) => this.lookButton(look)));
    this.renderParts();
  }

  reasons() {
    const { item } = this;
    const by = item.decision && item.by ? [t(`by_${item.decision}`, { name: item.by })] : [];
    return [...by, ...item.reasons, item.status !== "done" ? item.reason : "", item.status !== "done" ? item.remedy : ""].filter(Boolean);
  }

  lookButton(look) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: t(`look_${look}`) });
    button.setAttribute("aria-pressed", look === this.item.settings["render.look"]);
    button.addEventListener("click", () => this.send("set", { "render.look": look }));
    return button;
  }

  renderParts() {
    const here = this.item.parts.filter((part) => this.isHere(part));
    byId("parts").replaceChildren(...this.item.parts.map((part) => this.partLine(part)));
    byId("points").replaceChildren(...here.filter((part) => part.kind === "hint").map((part) => this.point(part)));
    byId("marks").replaceChildren(...here.filter((part) => part.kind === "gray" || part.kind === "color").map(outline));
  }

  isHere(part) {
    if (part.kind !== "hint") return true;
    if (this.item.film) return this.film.isNear(part.value.time ?? 0);
    return (part.value.page ?? 1) === this.page;
  }

  point(part) {
    const { x, y, color } = part.value;
    const node = pointNode(x, y, color);
    node.setAttribute("aria-label", t("point", { color: this.nameOf(color) }));
    node.addEventListener("click", (event) => this.chooser.change(part, event));
    return node;
  }

  partLine(part) {
    const line = document.createElement("li");
    const swatch = document.createElement("i");
    if (part.kind === "hint") swatch.style.setProperty("--color", part.value.color);
    const words = { hint: () => this.nameOf(part.value.color), gray: () => t("area_gray"), color: () => t("area_color"), reference: () => part.value.file.split("/").pop() };
    const time = part.value.time !== undefined ? ` · ${clock(part.value.time)}` : "";
    const text = Object.assign(document.createElement("span"), { textContent: words[part.kind]() + time, title: part.who });
    const remove = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "×" });
    remove.setAttribute("aria-label", `${t("remove")} ${text.textContent}`);
    remove.addEventListener("click", () => this.send("remove", part.id));
    line.append(swatch, text, remove);
    return line;
  }

  nameOf(color) {
    return Object.entries(this.palette).find(([, value]) => value.toLowerCase() === color)?.[0] ?? color;
  }

  // Shows the picture as it is asked for now: the result, or live where it would come out different.
  async show({ size = DISPLAY } = {}) {
    const { item } = this;
    if (!item) return;
    const turn = (this.showing = (this.showing ?? 0) + 1);
    const isLive = item.changed || Object.keys(this.tried).length > 0 || !item.result;
    const place = { page: this.page, size, ...(item.film ? { time: this.film.time } : {}) };
    const after = isLive ? this.liveAddress(place) : this.address("after", place);
    byId("kind").textContent = t(isLive ? "live" : "result");
    byId("busy").hidden = false;
    try {
      const isNew = this.beforeShown !== this.address("before", place);
      const loads = [this.load("after", after)];
      if (isNew) loads.push(this.load("before", this.address("before", place)));
      const found = await Promise.all(loads);
      if (turn !== this.showing || this.item?.id !== item.id) return;
      this.put("after", found[0]);
      if (isNew) { this.put("before", found[1]); this.beforeShown = this.address("before", place); }
      this.shownAt = size;
      await byId("after").decode().catch(() => {});
      this.stage.setSizeOnce(item.id, ...this.shownSize(byId("after")));
      this.message("");
      document.body.dataset.shown = String((Number(document.body.dataset.shown) || 0) + 1);
    } catch (error) { if (turn === this.showing) this.fail(error); }
    if (turn === this.showing) byId("busy").hidden = true;
  }

  load(side, address) { return api.picture(address).then((url) => [address, url]); }

  put(side, [, url]) {
    const image = byId(side);
    image.onload = null;
    if (this.urls[side]) URL.revokeObjectURL(this.urls[side]);
    image.src = this.urls[side] = url;
  }

  address(side, place) { return `/picture/${this.item.id}/${side}?${new URLSearchParams({ ...place, v: this.item.version })}`; }

  liveAddress(place) {
    const tried = Object.fromEntries(Object.entries(this.tried).map(([name, value]) => [name, JSON.stringify(value)]));
    return `/live/${this.item.id}?${new URLSearchParams({ ...place, ...tried })}`;
  }

  // Real pixels where one looks close enough to see them.
  sharpen() {
    clearTimeout(this.sharpening);
    const side = Math.max(...this.stage.size) * this.stage.zoom * devicePixelRatio;
    if (!this.item || this.shownAt !== DISPLAY || side < DISPLAY * 1.15 || Math.max(...this.stage.size) <= DISPLAY) return;
    this.sharpening = setTimeout(() => this.show({ size: Math.min(8192, Math.max(...this.stage.size)) }), 250);
  }

  async send(what, value) {
    if (!this.item) return;
    const { id } = this.item;
    try {
      const answer = await api.post(what === "undo" ? "/api/undo" : "/api/event", { item: id, do: what, value });
      if (this.item?.id === id) this.take(answer.item);
      this.changed(answer.item);
    } catch (error) { this.fail(error); }
  }

  // An item as the server knows it now; the picture follows where its colors are meant.
  async take(item) {
    const looks = (one) => JSON.stringify([one.asked, one.version, one.changed]);
    const isOther = looks(this.item) !== looks(item);
    this.item = item;
    this.tried = {};
    this.render();
    if (isOther) await this.show();
  }

  placed(x, y, event) {
    if (this.stage.mode === "pick") {
      this.setMode("place");
      this.chooser.picked(this.stage.colorAt(x, y));
    } else this.chooser.add(x, y, event);
  }

  areaDrawn(line) {
    this.setMode("place");
    this.send("gray", line);
  }

  setMode(mode) {
    this.stage.setMode(mode);
    byId("gray").setAttribute("aria-pressed", mode === "area");
    if (mode === "area") this.message(t("draw_area"));
    else if (mode === "pick") this.message(t("pick_color"));
    else this.message("");
  }

  showValue(id) {
    const value = Number(byId(id).value);
    byId(`${id}-value`).textContent = id === "size" ? `${value} px` : `${Math.round(value * 100)} %`;
  }

  saveNote() {
    if (this.item && this.item.note !== undefined && byId("note").value.trim() !== this.item.note) this.send("note", byId("note").value);
  }

  async dropReference(file) {
    if (!file || !this.item) return;
    this.message(t("reading", { name: file.name }));
    try {
      const answer = await api.sendFile(`/api/reference/${this.item.id}`, file, this.item.film ? { time: this.film.time } : {});
      this.take(answer.item);
      this.changed(answer.item);
    } catch (error) { this.fail(error); }
  }

  decide(what) {
    const isUndone = { accept: "accepted", reject: "rejected" }[what] === this.item.decision;
    this.send(isUndone ? "undecided" : what, null);
  }

  message(text) {
    byId("message").textContent = text;
    byId("message").hidden = !text;
  }

  fail(error) {
    byId("busy").hidden = true;
    this.message(error.message);
  }

  listenToButtons() {
    const on = (id, act) => byId(id).addEventListener("click", act);
    on("back", () => { location.hash = ""; });
    on("previous", () => this.step(-1));
    on("next", () => this.step(1));
    on("accept", () => this.decide("accept"));
    on("reject", () => this.decide("reject"));
    on("undo", () => this.send("undo"));
    on("gray", () => this.setMode(this.stage.mode === "area" ? "place" : "area"));
    on("all-gray", () => this.send("gray", [[0, 0], [1, 0], [1, 1], [0, 1]]));
    byId("reference").addEventListener("change", (event) => { this.dropReference(event.target.files[0]); event.target.value = ""; });
    byId("note").addEventListener("change", () => this.saveNote());
    for (const [id, name] of Object.entries(SETTINGS)) {
      let waiting;
      byId(id).addEventListener("input", () => {
        this.showValue(id);
        this.tried = { ...this.tried, [name]: Number(byId(id).value) };
        clearTimeout(waiting);
        waiting = setTimeout(() => this.show(), 60);
      });
      byId(id).addEventListener("change", () => this.send("set", { [name]: Number(byId(id).value) }));
    }
    byId("divider").addEventListener("keydown", (event) => this.dividerKey(event));
  }

  listenToDrop() {
    const shade = Object.assign(document.createElement("div"), { className: "drop", hidden: true });
    document.body.append(shade);
    const over = (isOver) => { shade.hidden = !isOver; shade.textContent = t("drop"); };
    addEventListener("dragover", (event) => { if (this.isOpen && event.dataTransfer.types.includes("Files")) { event.preventDefault(); over(true); } });
    addEventListener("dragleave", (event) => event.relatedTarget || over(false));
    addEventListener("drop", (event) => { event.preventDefault(); over(false); if (this.isOpen) this.dropReference(event.dataTransfer.files[0]); });
  }

  dividerKey(event) {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation();
    this.stage.setDivider(this.stage.share + by);
  }

  key(event) {
    if (!this.isOpen || event.target.matches("input:not([type=range]), textarea, select")) return;
    if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return;
    if (byId("chooser").open && event.key !== "Escape" && event.key.toLowerCase() !== "e") return;
    const box = byId("stage").getBoundingClientRect();
    const zoom = (by) => this.stage.zoomAt(this.stage.zoom * by, box.left + box.width / 2, box.top + box.height / 2);
    const acts = {
      n: () => this.step(1), p: () => this.step(-1), a: () => this.decide("accept"), x: () => this.decide("reject"),
      u: () => this.send("undo"), z: () => event.ctrlKey && this.send("undo"), b: () => byId("stage").classList.add("was"),
      g: () => byId("gray").click(), e: () => this.chooser.startPicking(), "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8),
      0: () => this.stage.fit(), 1: () => this.stage.real(), Escape: () => this.escape(),
      ArrowLeft: () => event.target.type !== "range" && this.stage.setDivider(this.stage.share - 0.02),
      ArrowRight: () => event.target.type !== "range" && this.stage.setDivider(this.stage.share + 0.02),
    };
    const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act) { act(); if (event.target.type !== "range") event.preventDefault(); }
  }

  escape() {
    if (byId("chooser").open) this.chooser.close();
    else if (this.stage.mode !== "place") this.setMode("place");
    else location.hash = "";
  }
}

export function pointNode(x, y, color) {
  const node = Object.assign(document.createElement("button"), { type: "button", className: "point" });
  node.style.left = `${x * 100}%`;
  node.style.top = `${y * 100}%`;
  if (color) node.style.setProperty("--color", color);
  else node.classList.add("waits");
  return node;
}

function outline(part) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  node.setAttribute("points", part.value.map((corner) => corner.join(",")).join(" "));
  return node;
}

export const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;
