// How the map is moved: flights, the arrow keys, pointers.

let flight = null;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

const keep = () => {
  view.scale = clamp(view.scale, home.scale * 0.5, home.scale * farthest);
  view.x = clamp(view.x, extent[0] - 0.1, extent[2] + 0.1);
  view.y = clamp(view.y, extent[1] - 0.1, extent[3] + 0.1);
};

function zoomAt(factor, x, y) { // device pixels; what is there stays there
  flight = null;
  const wx = view.x + (x - middle.x) / view.scale, wy = view.y + (y - middle.y) / view.scale;
  view.scale = clamp(view.scale * factor, home.scale * 0.5, home.scale * farthest);
  view.x = wx - (x - middle.x) / view.scale;
  view.y = wy - (y - middle.y) / view.scale;
  keep();
  redraw();
}

function moveBy(dx, dy) {
  flight = null;
  view.x -= dx / view.scale;
  view.y -= dy / view.scale;
  keep();
  redraw();
}

function goTo(x, y, scale) {
  const far = Math.hypot(x - view.x, y - view.y) * Math.sqrt(scale * view.scale);
  const dip = Math.log(Math.max(1, far / Math.min(canvas.width, canvas.height))); // rise above a long way
  flight = { from: { ...view }, to: { x, y, scale }, dip, start: performance.now(), ms: calm.matches ? 0 : 500 + 150 * Math.min(dip, 3) };
  redraw();
}

function fly(now) {
  const { from, to, dip, start, ms } = flight;
  const t = ms ? clamp((now - start) / ms, 0, 1) : 1, ease = t < 0.5 ? 4 * t ** 3 : 1 - (2 - 2 * t) ** 3 / 2;
  view.x = from.x + (to.x - from.x) * ease;
  view.y = from.y + (to.y - from.y) * ease;
  view.scale = from.scale * (to.scale / from.scale) ** ease * Math.exp(-dip * Math.sin(Math.PI * ease));
  if (t === 1) {
    Object.assign(view, to);
    flight = null;
  }
}

const flyTo = (i) => goTo(xy[2 * i], xy[2 * i + 1], home.scale * clamp(Math.max(zoom(), Math.sqrt(n) / 14), 1.5, farthest));

const held = new Map(); // arrow keys that are down
let steered = 0;
const ways = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
function steer(now) {
  const pixels = clamp(now - steered, 0, 50) * 0.9 * dpr;
  steered = now;
  for (const [dx, dy] of held.values()) moveBy(dx * pixels, dy * pixels);
}

// ------------------------------------------------------------------------------------------------ pointers

const pointers = new Map();
let travelled = 0, pressed = null;

function wordAt(x, y) { // device pixels
  const ox = Math.round(middle.x - view.x * view.scale), oy = Math.round(middle.y - view.y * view.scale);
  let best = -1, distance = (12 * dpr) ** 2;
  for (let i = 0; i < n; i++) {
    const d = (px[i] + ox - x) ** 2 + (py[i] + oy - y) ** 2;
    if (d < distance) [best, distance] = [i, d];
  }
  if (distance > (5 * dpr) ** 2) {
    for (const { word, left, top, w, high } of placed) {
      if (x >= left + ox && x <= left + ox + w && y >= top + oy && y <= top + oy + high) return word;
    }
  }
  return best;
}

const at = (event) => [event.offsetX * dpr, event.offsetY * dpr];

canvas.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, at(event));
  if (pointers.size === 1) [travelled, pressed] = [0, at(event)];
  else pressed = null;
  flight = null;
});
canvas.addEventListener("pointermove", (event) => {
  const was = pointers.get(event.pointerId), is = at(event);
  if (!was) {
    if (event.pointerType !== "touch") hover(wordAt(...is));
    return;
  }
  if (pointers.size === 1) {
    travelled += Math.hypot(is[0] - was[0], is[1] - was[1]);
    if (travelled > 4 * dpr) {
      hover(-1);
      canvas.classList.add("moving");
      moveBy(is[0] - was[0], is[1] - was[1]);
    }
  } else if (pointers.size === 2) { // pinch: the other finger is the fixed point, then half of it is taken back
    const other = [...pointers].find(([id]) => id !== event.pointerId)[1];
    const before = Math.hypot(was[0] - other[0], was[1] - other[1]), after = Math.hypot(is[0] - other[0], is[1] - other[1]);
    moveBy((is[0] - was[0]) / 2, (is[1] - was[1]) / 2);
    if (before > 1) zoomAt(after / before, (is[0] + other[0]) / 2, (is[1] + other[1]) / 2);
  }
  pointers.set(event.pointerId, is);
});
const release = (event) => {
  if (!pointers.delete(event.pointerId)) return;
  canvas.classList.remove("moving");
  if (event.type === "pointerup" && pressed && travelled <= 4 * dpr) {
    const word = wordAt(...pressed);
    if (word >= 0) choose(word);
    else if (chosen >= 0) choose(-1);
  }
  if (!pointers.size) pressed = null;
};
canvas.addEventListener("pointerup", release);
canvas.addEventListener("pointercancel", release);
canvas.addEventListener("pointerleave", () => hover(-1));
canvas.addEventListener("dblclick", (event) => zoomAt(2, ...at(event)));
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  const lines = event.deltaMode === 1 ? 16 : event.deltaMode === 2 ? 400 : 1;
  zoomAt(Math.exp(-clamp(event.deltaY * lines, -240, 240) * (event.ctrlKey ? 0.01 : 0.0022)), ...at(event));
}, { passive: false });

function hover(word) {
  canvas.classList.toggle("over", word >= 0);
  if (word === hovered) return;
  hovered = word;
  redraw();
}
