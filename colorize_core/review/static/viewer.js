// One picture: its colors, its settings, the decision.

import * as api from "./api.js";
import { Chooser } from "./chooser.js";
import { Clip } from "./clip.js";
import { Film } from "./film.js";
import { listenToDrop, listenToKeys } from "./keys.js";
import { outline, partLine, pointNode } from "./parts.js";
import { Stage } from "./stage.js";
import { t } from "./words.js";

const DISPLAY = 1280; // long side of what is shown until real pixels are asked for
const QUICK = 896; // of a picture that is colored while one waits
const LOOKS = ["natural", "calm", "vivid"];
const SETTINGS = { strength: "render.strength", size: "render.size" };
const AREAS = ["gray", "color"]; // stays gray, keeps the colors that the source has
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
    this.clip = new Clip(this);
    this.listenToButtons();
    listenToKeys(this);
    listenToDrop(this);
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
    this.shownAt = 0;
    this.clip.close();
    const quick = this.item?.id === id ? this.item : null;
    this.item = quick ?? { id, parts: [], settings: {}, reasons: [] };
    this.film.leave();
    if (!quick) {
      this.beforeShown = "";
      this.showThumbnail(id);
    }
    try {
      const item = await api.get(`/api/item/${id}`);
      if (turn !== this.turn) return;
      this.page = 1;
      if (!(item.order < this.item.order)) this.item = item;
      this.render();
      this.film.open(this.item);
      await this.show();
    } catch (error) { this.fail(error); }
    byId("stage").focus({ preventScroll: true });
  }

  close() {
    this.chooser.close();
    this.clip.close();
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
    byId("color").hidden = Boolean(item.film);
    for (const [id, name] of Object.entries(SETTINGS)) {
      byId(id).value = item.settings[name];
      this.showValue(id);
    }
    byId("look").replaceChildren(...LOOKS.map((look) => this.lookButton(look)));
    this.renderParts();
  }

  reasons() {
    const { item } = this;
    const inWords = (reason) => {
      const key = `r_${reason.split(":")[0]}`;
      return t(key) === key ? reason : t(key);
    };
    const by = item.decision && item.by ? [t(`by_${item.decision}`, { name: item.by })] : [];
    return [...by, ...item.reasons.map(inWords), item.status !== "done" ? item.reason : "", item.status !== "done" ? item.remedy : ""].filter(Boolean);
  }

  lookButton(look) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: t(`look_${look}`) });
    button.setAttribute("aria-pressed", look === this.item.settings["render.look"]);
    button.addEventListener("click", () => this.send("set", { "render.look": look }));
    return button;
  }

  renderParts() {
    const here = this.item.parts.filter((part) => this.isHere(part));
    byId("parts").replaceChildren(...this.item.parts.map((part) => partLine(part, this)));
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

  nameOf(color) {
    return Object.entries(this.palette).find(([, value]) => value.toLowerCase() === color)?.[0] ?? color;
  }

  // Shows the picture as it is asked for now: the result, or live where it would come out different.
  async show({ size = 0 } = {}) {
    const { item } = this;
    if (!item) return;
    clearTimeout(this.sharpening);
    const turn = (this.showing = (this.showing ?? 0) + 1);
    const isLive = item.changed || Object.keys(this.tried).length > 0 || !item.result;
    size ||= isLive ? QUICK : DISPLAY;
    const place = { page: this.page, size, ...(item.film ? { time: this.film.time } : {}) };
    const after = isLive ? this.liveAddress(place) : this.address("after", place);
    byId("kind").textContent = t(isLive ? "live" : "result");
    byId("busy").hidden = false;
    try {
      const before = this.address("before", { ...place, size: Math.max(size, DISPLAY) });
      const isNew = this.beforeShown !== before;
      const loads = [this.load("after", after)];
      if (isNew) loads.push(this.load("before", before));
      const found = await Promise.all(loads);
      if (turn !== this.showing || this.item?.id !== item.id) return;
      this.put("after", found[0]);
      if (isNew) { this.put("before", found[1]); this.beforeShown = before; }
      this.shownAt = size;
      await byId("after").decode().catch(() => {});
      this.stage.setSizeOnce(item.id, ...this.shownSize(byId("after")));
      this.message("");
      this.sharpen();
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
    const whole = Math.max(...this.stage.size), side = whole * this.stage.zoom * devicePixelRatio;
    if (!this.item || !this.shownAt || side < this.shownAt * 1.15 || whole <= this.shownAt) return;
    const size = side <= DISPLAY ? DISPLAY : Math.min(8192, whole);
    this.sharpening = setTimeout(() => this.show({ size }), 400);
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
    if (item.order < this.item.order) return; // an answer that was overtaken
    const looks = (one) => JSON.stringify([one.asked, one.version, one.changed]);
    const isOther = looks(this.item) !== looks(item);
    this.item = item;
    this.tried = {};
    this.render();
    if (isOther) this.clip.close();
    if (isOther) await this.show();
  }

  placed(x, y, event) {
    if (this.stage.mode === "pick") {
      this.setMode("place");
      this.chooser.picked(this.stage.colorAt(x, y));
    } else this.chooser.add(x, y, event);
  }

  areaDrawn(line) {
    const { area } = this;
    this.setMode("place");
    this.send(area, line);
  }

  // `area`: what becomes of the one that is drawn, "gray" or "color".
  setMode(mode, area = "") {
    this.area = area;
    this.stage.setMode(mode);
    for (const kind of AREAS) byId(kind).setAttribute("aria-pressed", kind === area);
    if (mode === "area") this.message(t(`draw_${area}`));
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

  escape() {
    if (byId("chooser").open) this.chooser.close();
    else if (this.clip.isOpen) this.clip.close();
    else if (this.stage.mode !== "place") this.setMode("place");
    else location.hash = "";
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
    for (const kind of AREAS) on(kind, () => (this.area === kind ? this.setMode("place") : this.setMode("area", kind)));
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
  }

}
