// The picture itself: before over after, the divider, zoom down to real pixels, places in it.

const FRICTION = 4; // pixels that a click may move
const byId = (id) => document.getElementById(id);
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

export class Stage {
  constructor({ onPlace, onArea, onZoom, onDivider }) {
    this.node = byId("stage");
    this.sheet = byId("sheet");
    this.after = byId("after");
    this.before = byId("before");
    this.onPlace = onPlace;
    this.onArea = onArea;
    this.onZoom = onZoom;
    this.onDivider = onDivider;
    this.size = [4, 3];
    this.mode = "place"; // "place", "area", "pick"
    this.share = 0;
    this.pointers = new Map();
    this.node.addEventListener("pointerdown", (event) => this.down(event));
    this.node.addEventListener("pointermove", (event) => this.move(event));
    this.node.addEventListener("pointerup", (event) => this.up(event));
    this.node.addEventListener("pointercancel", (event) => this.pointers.delete(event.pointerId));
    this.node.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.node.addEventListener("dblclick", (event) => event.preventDefault());
    this.listenToDivider();
    new ResizeObserver(() => this.fit()).observe(this.node);
  }

  setSize(width, height) {
    this.size = [width, height];
    this.sheet.style.width = `${width}px`;
    this.sheet.style.height = `${height}px`;
    this.fit();
  }

  // Of a new item; what one looks at closely stays in place when its colors change.
  setSizeOnce(id, width, height) {
    if (this.sized === id && this.size[0] === width && this.size[1] === height) return;
    this.sized = id;
    this.setSize(width, height);
  }

  get fitting() {
    const box = this.node.getBoundingClientRect();
    return Math.min((box.width - 16) / this.size[0], (box.height - 16) / this.size[1]) || 1;
  }

  fit() { this.place(this.fitting); }

  zoomBy(factor) {
    const box = this.node.getBoundingClientRect();
    this.zoomAt(this.zoom * factor, box.left + box.width / 2, box.top + box.height / 2);
  }

  // Real pixels: one of the picture's on one of the screen's.
  real() { this.place(1 / devicePixelRatio, true); }

  get isFitted() { return this.zoom <= this.fitting * 1.01; }

  place(zoom, keeps = false) {
    const box = this.node.getBoundingClientRect();
    if (keeps) return this.zoomAt(zoom, box.left + box.width / 2, box.top + box.height / 2);
    this.zoom = zoom;
    this.x = (box.width - this.size[0] * zoom) / 2;
    this.y = (box.height - this.size[1] * zoom) / 2;
    this.draw();
  }

  zoomAt(zoom, clientX, clientY) {
    const box = this.node.getBoundingClientRect();
    const most = Math.max(8 / devicePixelRatio, this.fitting * 2);
    const next = clamp(zoom, this.fitting, most);
    const [x, y] = [clientX - box.left, clientY - box.top];
    this.x = x - (x - this.x) * next / this.zoom;
    this.y = y - (y - this.y) * next / this.zoom;
    this.zoom = next;
    this.hold(box);
    this.draw();
  }

  hold(box) {
    const [width, height] = [this.size[0] * this.zoom, this.size[1] * this.zoom];
    this.x = width <= box.width ? (box.width - width) / 2 : clamp(this.x, box.width - width - 60, 60);
    this.y = height <= box.height ? (box.height - height) / 2 : clamp(this.y, box.height - height - 60, 60);
  }

  draw() {
    this.sheet.style.transform = `translate(${this.x}px, ${this.y}px) scale(${this.zoom})`;
    this.sheet.style.setProperty("--zoom", this.zoom);
    this.sheet.classList.toggle("real", this.zoom * devicePixelRatio > 1.99);
    this.node.classList.toggle("pans", !this.isFitted && this.mode === "place");
    this.drawDivider();
    this.onZoom?.(this.zoom);
  }

  // share: how much of the width shows the picture before, from the left.
  setDivider(share) {
    this.share = clamp(share, 0, 1);
    this.drawDivider();
    this.onDivider?.(this.share);
  }

  drawDivider() {
    const box = this.node.getBoundingClientRect();
    const left = Math.max(0, this.x), right = Math.min(box.width, this.x + this.size[0] * this.zoom);
    const at = left + (right - left) * this.share;
    byId("divider").style.left = `${at}px`;
    byId("divider").style.setProperty("--x", `${at}px`);
    byId("divider").classList.toggle("rests", this.share === 0);
    byId("divider").setAttribute("aria-valuenow", Math.round(this.share * 100));
    const within = (at - this.x) / (this.size[0] * this.zoom);
    this.sheet.style.setProperty("--at", `${clamp(within, 0, 1) * 100}%`);
  }

  listenToDivider() {
    const divider = byId("divider");
    divider.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      divider.setPointerCapture(event.pointerId);
    });
    divider.addEventListener("pointermove", (event) => {
      if (!divider.hasPointerCapture(event.pointerId)) return;
      const box = this.node.getBoundingClientRect();
      const left = Math.max(0, this.x), right = Math.min(box.width, this.x + this.size[0] * this.zoom);
      this.setDivider((event.clientX - box.left - left) / (right - left));
    });
  }

  placeOf(event) {
    const box = this.node.getBoundingClientRect();
    return [(event.clientX - box.left - this.x) / (this.size[0] * this.zoom), (event.clientY - box.top - this.y) / (this.size[1] * this.zoom)];
  }

  down(event) {
    if (event.button || event.target.closest(".point, .divider, dialog")) return;
    this.node.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, [event.clientX, event.clientY]);
    this.began = [event.clientX, event.clientY];
    this.moved = false;
    this.line = this.mode === "area" ? [this.placeOf(event)] : null;
  }

  move(event) {
    const last = this.pointers.get(event.pointerId);
    if (!last) return;
    const now = [event.clientX, event.clientY];
    if (Math.hypot(now[0] - this.began[0], now[1] - this.began[1]) > FRICTION) this.moved = true;
    if (this.pointers.size === 2) this.pinch(event.pointerId, last, now);
    else if (this.line) this.draft(event);
    else if (this.moved && !this.isFitted) {
      this.x += now[0] - last[0];
      this.y += now[1] - last[1];
      this.hold(this.node.getBoundingClientRect());
      this.draw();
    }
    this.pointers.set(event.pointerId, now);
  }

  pinch(id, last, now) {
    const other = [...this.pointers].find(([key]) => key !== id)[1];
    const before = Math.hypot(last[0] - other[0], last[1] - other[1]);
    const after = Math.hypot(now[0] - other[0], now[1] - other[1]);
    this.moved = true;
    if (before > 0) this.zoomAt(this.zoom * after / before, (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  draft(event) {
    const [x, y] = this.placeOf(event);
    const [lastX, lastY] = this.line.at(-1);
    if (Math.hypot(x - lastX, y - lastY) * this.size[0] * this.zoom < 5) return;
    this.line.push([clamp(x, 0, 1), clamp(y, 0, 1)]);
    byId("draft")?.remove();
    const draft = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    draft.id = "draft";
    draft.setAttribute("points", this.line.map((p) => p.join(",")).join(" "));
    byId("marks").append(draft);
  }

  up(event) {
    if (!this.pointers.delete(event.pointerId)) return;
    if (this.line) return this.endArea();
    if (this.moved || this.pointers.size) return;
    const [x, y] = this.placeOf(event);
    if (x >= 0 && x <= 1 && y >= 0 && y <= 1) this.onPlace(x, y, event);
  }

  endArea() {
    byId("draft")?.remove();
    const line = this.line.map(([x, y]) => [clamp(x, 0, 1), clamp(y, 0, 1)]);
    this.line = null;
    if (line.length >= 3) this.onArea(line.filter((_, i) => i % Math.ceil(line.length / 150) === 0));
  }

  wheel(event) {
    event.preventDefault();
    this.zoomAt(this.zoom * Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0016)), event.clientX, event.clientY);
  }

  setMode(mode) {
    this.mode = mode;
    this.node.classList.toggle("draws", mode === "area");
    this.node.classList.toggle("picks", mode === "pick");
    this.draw();
  }

  // The color that is shown at a place, as "#rrggbb", of what lies under the points.
  colorAt(x, y) {
    const image = this.after;
    const side = 3;
    const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
    const context = canvas.getContext("2d");
    context.drawImage(image, clamp(x * image.naturalWidth - side / 2, 0, image.naturalWidth - side), clamp(y * image.naturalHeight - side / 2, 0, image.naturalHeight - side), side, side, 0, 0, side, side);
    const data = context.getImageData(0, 0, side, side).data;
    const mean = [0, 1, 2].map((c) => Math.round(data.filter((_, i) => i % 4 === c).reduce((a, b) => a + b, 0) / (side * side)));
    return `#${mean.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
  }
}
