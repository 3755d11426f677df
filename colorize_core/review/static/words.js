// The page's words in the reader's language; a further language is a further file in words/.

const LANGUAGES = { en: "English", de: "Deutsch", fr: "Français" };
let words = {};

export const t = (key, values = {}) =>
  (words[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");

export const language = () => {
  const wanted = [localStorage.language, ...navigator.languages].filter(Boolean).map((l) => l.slice(0, 2));
  return wanted.find((l) => l in LANGUAGES) ?? "en";
};

export async function speak(chosen = language()) {
  const read = async (name) => (await fetch(`/static/words/${name}.json`)).json();
  words = { ...await read("en"), ...(chosen === "en" ? {} : await read(chosen)) };
  document.documentElement.lang = chosen;
  for (const node of document.querySelectorAll("[data-t]")) node.textContent = t(node.dataset.t);
  for (const node of document.querySelectorAll("[data-t-label]")) node.setAttribute("aria-label", t(node.dataset.tLabel));
  for (const node of document.querySelectorAll("[data-t-placeholder]")) node.placeholder = t(node.dataset.tPlaceholder);
}

export function chooseLanguage(select, changed) {
  for (const [name, label] of Object.entries(LANGUAGES)) select.add(new Option(label, name));
  select.value = language();
  select.addEventListener("change", async () => {
    localStorage.language = select.value;
    await speak(select.value);
    changed();
  });
}

export const count = (number) => number.toLocaleString(document.documentElement.lang);
