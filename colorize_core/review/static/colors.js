// Colors to choose from: those of the picture, of the archive, and the usual ones.

const USUAL = ["skin", "dark_skin", "lips", "chestnut", "fair_hair", "grass", "foliage", "sky", "sea", "sand", "brick", "wood", "navy", "khaki", "neutral"];
const VALUES = {
  skin: "#c99a7e", dark_skin: "#8a5a41", lips: "#b5645f", chestnut: "#6b4630", fair_hair: "#b99a62", grass: "#6f8b4c", foliage: "#4d6b3f",
  sky: "#8fb2d6", sea: "#4b7c8c", sand: "#c8b48a", brick: "#9a5240", wood: "#8a6b47", navy: "#39476b", khaki: "#8b8460", neutral: "#808080",
};
const MOST = 12;

export const usual = (t) => USUAL.map((name) => [t(`c_${name}`), VALUES[name]]);

// The colors that a picture has most of, told apart by hue: lightness does not count for a point.
export function swatchesOf(image) {
  const side = 72;
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0, side, side);
  const { data } = context.getImageData(0, 0, side, side);
  const bins = new Map();
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
    const light = (r + g + b) / 3;
    if (light < 25 || light > 240) continue;
    const key = `${Math.round((r - g) / 14)},${Math.round((g - b) / 14)}`;
    const bin = bins.get(key) ?? { count: 0, sum: [0, 0, 0] };
    bin.count += 1;
    bin.sum = [bin.sum[0] + r, bin.sum[1] + g, bin.sum[2] + b];
    bins.set(key, bin);
  }
  const found = [...bins.values()].filter((bin) => bin.count > 4).map(({ count, sum }) => {
    const mean = sum.map((v) => Math.round(v / count));
    return { count, mean, chroma: Math.max(...mean) - Math.min(...mean) };
  });
  // Strong colors are rare and what one looks for: they count more than their area.
  found.sort((a, b) => b.count ** 0.5 * (8 + b.chroma) - a.count ** 0.5 * (8 + a.chroma));
  return found.slice(0, MOST).sort((a, b) => hue(a.mean) - hue(b.mean)).map(({ mean }) => `#${mean.map((v) => v.toString(16).padStart(2, "0")).join("")}`);
}

function hue([r, g, b]) {
  return Math.atan2(Math.sqrt(3) * (g - b), 2 * r - g - b);
}

export function button(color, name, chosen) {
  const node = document.createElement("button");
  node.type = "button";
  node.style.setProperty("--color", color);
  node.dataset.color = color;
  node.title = name || color;
  node.setAttribute("aria-label", name || color);
  if (name) node.textContent = name;
  node.addEventListener("click", () => chosen(color));
  return node;
}
