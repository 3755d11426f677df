// The viewer by keys, and pictures that are dropped on it.

import { t } from "./words.js";

const STEP = 0.02; // of the divider
const byId = (id) => document.getElementById(id);

export function listenToKeys(viewer) {
  document.addEventListener("keydown", (event) => press(viewer, event));
  document.addEventListener("keyup", (event) => event.key.toLowerCase() === "b" && byId("stage").classList.remove("was"));
}

function press(viewer, event) {
  if (!viewer.isOpen || event.target.matches("input:not([type=range]), textarea, select")) return;
  if (event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return;
  const name = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (byId("chooser").open && name !== "Escape" && name !== "e") return;
  const isRange = event.target.type === "range";
  if (isRange && name.startsWith("Arrow")) return;
  const act = acts(viewer, event)[name];
  if (!act) return;
  act();
  event.preventDefault();
}

function acts(viewer, event) {
  const { stage } = viewer;
  return {
    n: () => viewer.step(1),
    p: () => viewer.step(-1),
    a: () => viewer.decide("accept"),
    x: () => viewer.decide("reject"),
    u: () => viewer.send("undo"),
    z: () => event.ctrlKey && viewer.send("undo"),
    b: () => stage.node.classList.add("was"),
    g: () => byId("gray").click(),
    c: () => byId("color").hidden || byId("color").click(),
    s: () => byId("film").hidden || byId("shot-run").click(),
    e: () => viewer.chooser.startPicking(),
    "+": () => stage.zoomBy(1.25),
    "=": () => stage.zoomBy(1.25),
    "-": () => stage.zoomBy(0.8),
    0: () => stage.fit(),
    1: () => stage.real(),
    ArrowLeft: () => stage.setDivider(stage.share - STEP),
    ArrowRight: () => stage.setDivider(stage.share + STEP),
    Escape: () => viewer.escape(),
  };
}

export function listenToDrop(viewer) {
  const shade = Object.assign(document.createElement("div"), { className: "drop", hidden: true });
  document.body.append(shade);
  const over = (isOver) => {
    shade.hidden = !isOver;
    shade.textContent = t("drop");
  };
  addEventListener("dragover", (event) => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    over(viewer.isOpen);
  });
  addEventListener("dragleave", (event) => event.relatedTarget || over(false));
  addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    if (viewer.isOpen) viewer.dropReference(event.dataTransfer.files[0]);
  });
}
