// What the page asks of the server, and what it is told.

const session = sessionStorage.session ??= crypto.randomUUID?.() ?? String(Math.random()).slice(2);

export class Refused extends Error {}

export const who = () => localStorage.reviewer ?? "";

async function answer(response) {
  if (response.ok) return response;
  let said = {};
  try { said = await response.json(); } catch { said = { error: `${response.status} ${response.statusText}` }; }
  throw new Refused([said.error, said.remedy].filter(Boolean).join(" – "));
}

export async function get(path) {
  return (await answer(await fetch(path))).json();
}

export async function post(path, body) {
  const headers = { "X-Review": "1", "Content-Type": "application/json" };
  const signed = { ...body, who: who(), session };
  return (await answer(await fetch(path, { method: "POST", headers, body: JSON.stringify(signed) }))).json();
}

export async function sendFile(path, file, about) {
  const query = new URLSearchParams({ ...about, name: file.name, who: who(), session });
  const headers = { "X-Review": "1", "Content-Type": "application/octet-stream" };
  return (await answer(await fetch(`${path}?${query}`, { method: "POST", headers, body: file }))).json();
}

// The picture behind an address, as an address of its own; why there is none, as an error.
export async function picture(path, signal) {
  const blob = await (await answer(await fetch(path, { signal }))).blob();
  return URL.createObjectURL(blob);
}

export function listen(hear) {
  const source = new EventSource("/api/news");
  let wasLost = false;
  source.onmessage = (message) => hear(JSON.parse(message.data));
  source.onerror = () => { wasLost = true; hear({ lost: true }); };
  source.onopen = () => { if (wasLost) hear({ items: "all", state: true, lost: false }); wasLost = false; };
}
