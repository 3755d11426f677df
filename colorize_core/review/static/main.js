// The page: all pictures, one picture, the job, and what others do meanwhile.

import * as api from "./api.js";
import { Grid } from "./grid.js";
import { Viewer } from "./viewer.js";
import { chooseLanguage, count, speak, t } from "./words.js";

const byId = (id) => document.getElementById(id);
let state = { counts: {}, job: {}, shot: {} };

await speak();
const viewer = new Viewer({
  closed: (id) => document.querySelector(`.card button[data-id="${id}"]`)?.focus(),
  changed: (item) => { grid.update(item); refreshSoon(); },
  beside: (id, step) => grid.beside(id, step),
});
const grid = new Grid((id) => { location.hash = id; });
chooseLanguage(byId("language"), () => { showState(); grid.reload(); if (viewer.item) viewer.render(); });
byId("who").value = api.who();
byId("who").addEventListener("change", () => { localStorage.reviewer = byId("who").value.trim(); });
byId("run").addEventListener("click", run);
addEventListener("hashchange", follow);
api.listen(hear);

await Promise.all([refresh(), grid.reload()]);
follow();

function follow() {
  const id = location.hash.slice(1);
  if (id) viewer.open(id);
  else if (viewer.isOpen) viewer.close();
}

async function refresh() {
  state = await api.get("/api/state");
  viewer.palette = state.palette;
  showState();
}

let soon;
function refreshSoon() {
  clearTimeout(soon);
  soon = setTimeout(refresh, 250);
}

function showState() {
  const name = state.source.replace(/\/+$/, "").split("/").pop() || state.source;
  document.title = `${name} · ${t("review")}`;
  byId("archive").textContent = name;
  byId("archive").title = state.source;
  byId("progress").textContent = t("progress", { done: count(state.decided), all: count(state.counts.all) });
  byId("meter").style.width = `${100 * state.decided / Math.max(1, state.counts.all)}%`;
  grid.filters(state.counts);
  showJob(state.job);
  viewer.clip.take(state.shot);
}

function showJob(job) {
  state.job = job;
  const changed = state.counts.changed;
  const button = byId("run");
  button.hidden = !changed && !job.running;
  button.textContent = job.running ? t(job.ours ? "stop" : "running") : t("run_changed", { count: count(changed) });
  button.disabled = job.running && !job.ours;
  showNotice(job);
}

function showNotice(job) {
  const notice = byId("notice");
  const left = job.progress?.left;
  const lines = state.problem || (state.damaged ? t("damaged", { count: state.damaged }) : "");
  const isBad = Boolean(lines) || (!job.running && ![null, undefined, 0, 2].includes(job.code));
  const said = job.running ? t("job_runs", { left: left === undefined ? "" : t("left", { count: count(left) }) }) : isBad && !lines ? t("job_failed", { code: job.code }) : "";
  notice.hidden = !(lines || said);
  notice.classList.toggle("bad", isBad);
  notice.replaceChildren(lines || said);
  if (said && job.said?.length) notice.append(Object.assign(document.createElement("pre"), { textContent: job.said.slice(isBad ? -6 : -1).join("\n") }));
}

async function run() {
  try {
    showJob(await api.post("/api/job", { stop: Boolean(state.job.running) }));
  } catch (error) {
    state.problem = error.message;
    showState();
  }
}

async function hear(news) {
  if (news.lost) { byId("notice").hidden = false; byId("notice").classList.add("bad"); byId("notice").textContent = t("lost"); return; }
  if (news.job) { const ended = state.job.running && !news.job.running; showJob(news.job); if (ended) refreshSoon(); }
  if (news.shot) { state.shot = news.shot; viewer.clip.take(news.shot); }
  if (news.problem !== undefined) { state.problem = news.problem; showState(); }
  if (news.state) refreshSoon();
  if (news.items === "all") { await grid.refresh(); refreshSoon(); if (viewer.item) retake(viewer.item.id); }
  else if (news.items) { news.items.forEach(retake); refreshSoon(); }
}

async function retake(id) {
  const item = await api.get(`/api/item/${id}`);
  grid.update(item);
  if (viewer.item?.id === id && viewer.item.name) viewer.take(item);
}
