// Which color is at a place: swatches, the archive's palette, the usual ones, any other.

import * as api from "./api.js";
import * as colors from "./colors.js";
import { t } from "./words.js";
import { pointNode } from "./parts.js";

const byId = (id) => document.getElementById(id);

export class Chooser {
  constructor(viewer) {
    this.viewer = viewer;
    this.dialog = byId("chooser");
    this.place = null; // of a new point
    this.part = null; // a point that is there
    byId("chooser-close").addEventListener("click", () => this.close());
    byId("eyedropper").addEventListener("click", () => this.startPicking());
    byId("own").addEventListener("change", () => this.chosen(byId("own").value));
    byId("name-color").addEventListener("click", () => this.name());
    byId("remove-point").addEventListener("click", () => { viewer.send("remove", this.part.id); this.close(); });
    byId("radius").addEventListener("change", () => this.part && this.chosen(this.part.value.color));
    // Esc on a dialog that is not modal is ours.
    this.dialog.addEventListener("keydown", (event) => event.key === "Escape" && this.close());
  }

  add(x, y, event) {
    if (this.dialog.open) return this.close();
    this.part = null;
    this.place = { x, y };
    this.waiting = pointNode(x, y);
    byId("points").append(this.waiting);
    this.open(event);
  }

  change(part, event) {
    this.close();
    this.part = part;
    this.place = { x: part.value.x, y: part.value.y };
    byId("own").value = part.value.color;
    byId("radius").value = part.value.radius;
    this.open(event);
  }

  open(event) {
    const chosen = (color) => this.chosen(color);
    byId("swatches").replaceChildren(...colors.swatchesOf(byId("after")).map((color) => colors.button(color, "", chosen)));
    const own = Object.entries(this.viewer.palette);
    byId("palette").replaceChildren(...own.map(([name, color]) => colors.button(color, name, chosen)));
    byId("palette-title").hidden = !own.length;
    byId("usual").replaceChildren(...colors.usual(t).map(([name, color]) => colors.button(color, name, chosen)));
    byId("remove-point").hidden = !this.part;
    byId("name-color").hidden = !this.part;
    this.dialog.show();
    this.stand(event);
    byId("swatches").firstElementChild?.focus({ preventScroll: true });
  }

  // Beside the place, inside of the window.
  stand(event) {
    const box = this.dialog.getBoundingClientRect();
    const at = { x: event.clientX || innerWidth / 2, y: event.clientY || innerHeight / 2 };
    const left = at.x + 24 + box.width < innerWidth ? at.x + 24 : at.x - 24 - box.width;
    this.dialog.style.left = `${Math.max(8, left)}px`;
    this.dialog.style.top = `${Math.max(8, Math.min(innerHeight - box.height - 8, at.y - box.height / 3))}px`;
  }

  async chosen(color) {
    const value = { ...this.place, ...this.where(), color, radius: Number(byId("radius").value) };
    const old = this.part;
    this.close();
    if (old) await this.viewer.send("remove", old.id);
    await this.viewer.send("hint", value);
  }

  where() {
    const { item, page, film } = this.viewer;
    if (this.part) return { page: this.part.value.page ?? 1, ...(this.part.value.time === undefined ? {} : { time: this.part.value.time }) };
    return item.film ? { time: film.time } : { page };
  }

  startPicking() {
    if (!this.place) return;
    this.dialog.close();
    this.viewer.setMode("pick");
  }

  picked(color) { if (this.place) this.chosen(color); }

  async name() {
    const color = this.part?.value.color ?? byId("own").value;
    const name = prompt(t("name_for", { color }), this.viewer.nameOf(color) === color ? "" : this.viewer.nameOf(color));
    if (!name?.trim()) return;
    try { await api.post("/api/event", { do: "name", value: { name: name.trim(), color } }); } catch (error) { this.viewer.fail(error); }
    this.close();
  }

  close() {
    this.waiting?.remove();
    this.waiting = this.place = this.part = null;
    if (this.dialog.open) this.dialog.close();
  }
}
