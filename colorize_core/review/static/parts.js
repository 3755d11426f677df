// What was said of a picture: as marks in it, and as lines beside it.

import { t } from "./words.js";

export function pointNode(x, y, color) {
  const node = Object.assign(document.createElement("button"), { type: "button", className: "point" });
  node.style.left = `${x * 100}%`;
  node.style.top = `${y * 100}%`;
  if (color) node.style.setProperty("--color", color);
  else node.classList.add("waits");
  return node;
}

export function outline(part) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "polygon");
  node.setAttribute("points", part.value.map((corner) => corner.join(",")).join(" "));
  return node;
}

export const clock = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;

// A line that names a part and can take it away.
export function partLine(part, viewer) {
  const line = document.createElement("li");
  const swatch = document.createElement("i");
  if (part.kind === "hint") swatch.style.setProperty("--color", part.value.color);
  const words = {
    hint: () => viewer.nameOf(part.value.color),
    gray: () => t("area_gray"),
    color: () => t("area_color"),
    reference: () => part.value.file.split("/").pop(),
  };
  const time = part.value.time !== undefined ? ` · ${clock(part.value.time)}` : "";
  const text = Object.assign(document.createElement("span"), { textContent: words[part.kind]() + time, title: part.who });
  const remove = Object.assign(document.createElement("button"), { type: "button", className: "quiet", textContent: "×" });
  remove.setAttribute("aria-label", `${t("remove")} ${text.textContent}`);
  remove.addEventListener("click", () => viewer.send("remove", part.id));
  line.append(swatch, text, remove);
  return line;
}
