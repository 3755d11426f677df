// A film in the viewer: its shots, its time.

import * as api from "./api.js";
import { clock } from "./parts.js";
import { t } from "./words.js";

const NEAR = 0.25; // seconds around a point in which it is shown in the picture
const byId = (id) => document.getElementById(id);

export class Film {
  constructor(viewer) {
    this.viewer = viewer;
    this.time = 0;
    this.rate = 25;
    let waiting;
    byId("time").addEventListener("input", () => {
      byId("clock").textContent = clock(Number(byId("time").value));
      clearTimeout(waiting);
      waiting = setTimeout(() => this.go(Number(byId("time").value)), 120);
    });
    byId("earlier").addEventListener("click", () => this.go(this.time - 1 / this.rate));
    byId("later").addEventListener("click", () => this.go(this.time + 1 / this.rate));
  }

  leave() { byId("film").hidden = true; }

  open(item) {
    if (!item.film) return;
    byId("film").hidden = false;
    const shots = item.shots ?? [];
    this.time = shots[Math.floor(shots.length / 2)] ?? 0;
    byId("shots").replaceChildren(...shots.map((time, number) => this.shot(item, time, number)));
    this.mark();
    this.measure(item.id);
  }

  async measure(id) {
    try {
      const { seconds, rate } = await api.get(`/api/film/${id}`);
      if (this.viewer.item?.id !== id) return;
      this.rate = rate;
      byId("time").max = seconds;
      byId("time").step = 1 / rate;
      this.mark();
    } catch (error) { this.viewer.fail(error); }
  }

  shot(item, time, number) {
    const line = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button" });
    button.setAttribute("aria-label", t("shot", { time: clock(time) }));
    button.dataset.time = time;
    const image = new Image();
    image.alt = "";
    image.loading = "lazy";
    image.src = `/thumb/${item.id}/after?shot=${number}&v=${item.version}`;
    button.append(image);
    button.addEventListener("click", () => this.go(time));
    line.append(button);
    return line;
  }

  async go(time) {
    this.viewer.clip.close();
    this.time = Math.max(0, Math.min(Number(byId("time").max), time));
    this.mark();
    this.viewer.renderParts();
    await this.viewer.show();
  }

  mark() {
    byId("time").value = this.time;
    byId("clock").textContent = clock(this.time);
    const shots = [...byId("shots").querySelectorAll("button")];
    const distances = shots.map((shot) => Math.abs(Number(shot.dataset.time) - this.time));
    const nearest = distances.indexOf(Math.min(...distances));
    shots.forEach((shot, i) => shot.setAttribute("aria-current", i === nearest));
  }

  isNear(time) { return Math.abs(time - this.time) <= NEAR; }
}
