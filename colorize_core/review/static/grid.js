// All pictures: the most doubtful first, further ones as one scrolls.

import * as api from "./api.js";
import { count, t } from "./words.js";

const PART = 60;
const FILTERS = ["all", "doubtful", "open", "accepted", "rejected", "changed", "films", "failed"];
const byId = (id) => document.getElementById(id);

export class Grid {
  constructor(open) {
    this.open = open;
    this.show = "all";
    this.items = [];
    this.total = 0;
    this.round = 0;
    this.loading = null;
    new IntersectionObserver((seen) => seen[0].isIntersecting && this.more(), { rootMargin: "900px" }).observe(byId("more"));
    byId("sort").addEventListener("change", () => this.reload());
    let typing;
    byId("find").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => this.reload(), 200); });
  }

  filters(counts) {
    byId("filters").replaceChildren(...FILTERS.filter((name) => counts[name] || name === "all" || name === this.show).map((name) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.show = name;
      button.setAttribute("aria-pressed", name === this.show);
      button.append(`${t(`f_${name}`)} `, Object.assign(document.createElement("span"), { textContent: count(counts[name]) }));
      button.addEventListener("click", () => { this.show = name; this.filters(counts); this.reload(); });
      return button;
    }));
  }

  async reload() {
    this.round += 1;
    this.items = [];
    this.loading = null;
    await this.more();
  }

  async more() {
    if (this.loading || (this.items.length && this.items.length >= this.total)) return this.loading;
    const round = this.round;
    this.loading = api.get(this.address(this.items.length, PART)).then((part) => {
      if (round !== this.round) return;
      const cards = part.items.map((item, i) => this.card(item, this.items.length + i));
      if (this.items.length) byId("grid").append(...cards);
      else byId("grid").replaceChildren(...cards);
      this.items.push(...part.items);
      this.total = part.total;
      byId("empty").hidden = this.total > 0;
    }).finally(() => { if (round === this.round) this.loading = null; });
    return this.loading;
  }

  // The same stretch again, as it is now.
  async refresh() {
    if (!this.items.length) return this.reload();
    const found = await api.get(this.address(0, Math.min(500, this.items.length)));
    this.total = found.total;
    if (found.items.map((item) => item.id).join() === this.items.slice(0, found.items.length).map((item) => item.id).join()) found.items.forEach((item) => this.update(item));
    else await this.reload();
  }

  address(start, size) {
    const query = { show: this.show, sort: byId("sort").value, find: byId("find").value.trim(), start, count: size };
    return `/api/items?${new URLSearchParams(query)}`;
  }

  update(item) {
    const at = this.items.findIndex((known) => known.id === item.id);
    if (at < 0 || JSON.stringify(this.items[at]) === JSON.stringify(item)) return;
    if (item.order < this.items[at].order) return; // an answer that was overtaken
    this.items[at] = item;
    byId("grid").children[at]?.replaceWith(this.card(item, at));
  }

  // What stands `step` places further, loading more where the end is near.
  async beside(id, step) {
    const at = this.items.findIndex((item) => item.id === id) + step;
    if (at + 3 > this.items.length) await this.more();
    return this.items[at]?.id;
  }

  card(item, at) {
    const card = document.createElement("li");
    const ratio = item.width && item.height ? Math.min(2.4, Math.max(0.6, item.width / item.height)) : 4 / 3;
    card.className = "card";
    card.style.setProperty("--ratio", ratio.toFixed(3));
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.id = item.id;
    button.setAttribute("aria-label", label(item));
    button.addEventListener("click", () => this.open(item.id));
    if (item.result) button.append(...pictures(item, at));
    else button.append(Object.assign(document.createElement("span"), { className: "why", textContent: item.reason }));
    button.append(states(item));
    if (item.film) button.append(mark("film", t("film")));
    card.append(button, caption(item));
    return card;
  }
}

function pictures(item, at) {
  return ["after", "before"].map((side) => {
    const image = new Image();
    image.alt = "";
    image.loading = at < 24 && side === "after" ? "eager" : "lazy";
    if (side === "before") image.className = "was";
    image.src = `/thumb/${item.id}/${side}?v=${item.version}`;
    return image;
  });
}

function states(item) {
  const box = Object.assign(document.createElement("span"), { className: "state" });
  if (item.points) box.append(mark("points", `● ${item.points}`));
  if (item.changed) box.append(mark("changed", "↻"));
  if (item.note) box.append(mark("note", "✎"));
  if (item.decision) box.append(mark(item.decision, item.decision === "accepted" ? "✓" : "✕"));
  return box;
}

const mark = (kind, text) => Object.assign(document.createElement("span"), { className: `mark ${kind}`, textContent: text });

function caption(item) {
  const line = document.createElement("p");
  line.title = item.name;
  line.append(Object.assign(document.createElement("b"), { textContent: item.name.split("/").pop() }));
  const why = item.reasons[0]?.split(":")[0] ?? (item.status === "done" ? "" : t(`s_${item.status}`));
  if (why) line.append(` · ${t(`r_${why}`) === `r_${why}` ? why : t(`r_${why}`)}`);
  return line;
}

function label(item) {
  return [item.name, item.decision && t(item.decision), ...item.reasons].filter(Boolean).join(", ");
}
