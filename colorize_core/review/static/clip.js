// The whole shot in color, made on request: progress, then a clip that plays in place of the frame.

import * as api from "./api.js";
import { clock } from "./parts.js";
import { count, t } from "./words.js";

const byId = (id) => document.getElementById(id);

export class Clip {
  constructor(viewer) {
    this.viewer = viewer;
    this.state = { ended: "stopped", number: 0 };
    this.wanted = 0; // the clip that this browser waits for
    byId("shot-run").addEventListener("click", () => this.press());
    byId("clip-close").addEventListener("click", () => this.close());
  }

  get isOpen() { return !byId("clip").hidden; }

  async press() {
    const { item, film } = this.viewer;
    const isStop = !this.state.ended;
    try {
      const state = await api.post("/api/shot", isStop ? { stop: true } : { item: item.id, time: film.time });
      if (!isStop) this.wanted = state.number;
      this.take(state);
    } catch (error) { this.viewer.fail(error); }
  }

  take(state) {
    this.state = state;
    this.render();
    if (!state.ended || state.number !== this.wanted) return;
    this.wanted = 0;
    if (this.viewer.item?.id !== state.item) return;
    if (state.ended === "done") this.open(state);
    else if (state.said) this.viewer.message(state.said);
  }

  render() {
    const { ended, done, total } = this.state;
    byId("shot-word").textContent = t(ended ? "shot_run" : "shot_stop");
    byId("shot-bar").hidden = Boolean(ended);
    byId("shot-bar").max = total || 1;
    byId("shot-bar").value = done;
    byId("shot-said").textContent = ended ? "" : total ? t("shot_runs", { done: count(done), total: count(total) }) : t("shot_begins");
  }

  open({ number, begin, total, is_whole: isWhole, said }) {
    const video = byId("clip-video");
    video.src = `/shot/${number}`;
    byId("clip-kind").textContent = t(isWhole ? "shot_whole" : "shot_part", { time: clock(begin), count: count(total) });
    byId("clip").hidden = false;
    byId("stage").hidden = true;
    this.viewer.message("");
    if (said) byId("clip-kind").textContent += ` · ${said}`;
    video.play().catch(() => {}); // where a browser plays nothing by itself, there are its buttons
    byId("clip-close").focus({ preventScroll: true });
  }

  close() {
    if (!this.isOpen) return;
    const video = byId("clip-video");
    video.pause();
    video.removeAttribute("src");
    video.load();
    byId("clip").hidden = true;
    byId("stage").hidden = false;
    byId("stage").focus({ preventScroll: true });
  }
}
