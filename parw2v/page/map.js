// The map as it is drawn: points, labels, what is chosen.

const canvas = $("map"), ctx = canvas.getContext("2d", { alpha: false });
const view = { x: 0.5, y: 0.5, scale: 1 }; // the point in the middle of the free part; device pixels to the unit
const middle = { x: 0, y: 0 }; // of the part that the panel leaves free, in device pixels
let dpr = 1, home = { x: 0.5, y: 0.5, scale: 1 }, farthest = 48;
let colours = [], paper = "", ink = "", card = "", line = "";
let chosen = -1, near = [], only = -1, hovered = -1;
let lit = null; // Uint8Array: which words stand out; null: all alike
const px = new Int32Array(n), py = new Int32Array(n); // places at the present scale, device pixels
let pxScale = 0;

const extent = [1, 1, 0, 0];
for (let i = 0; i < n; i++) {
  extent[0] = Math.min(extent[0], xy[2 * i]); extent[1] = Math.min(extent[1], xy[2 * i + 1]);
  extent[2] = Math.max(extent[2], xy[2 * i]); extent[3] = Math.max(extent[3], xy[2 * i + 1]);
}

function measure() {
  dpr = window.devicePixelRatio || 1;
  canvas.width = Math.max(1, Math.round(canvas.clientWidth * dpr));
  canvas.height = Math.max(1, Math.round(canvas.clientHeight * dpr));
  const panel = $("panel").getBoundingClientRect(), wide = canvas.clientWidth > 720;
  const left = wide ? panel.right * dpr : 0;
  const bottom = wide ? canvas.height : canvas.height * 0.54;
  middle.x = (left + canvas.width) / 2;
  middle.y = bottom / 2;
  const margin = 48 * dpr, width = canvas.width - left - margin, height = bottom - margin;
  const scale = Math.max(20, Math.min(width / (extent[2] - extent[0] || 0.3), height / (extent[3] - extent[1] || 0.3)));
  home = { x: (extent[0] + extent[2]) / 2, y: (extent[1] + extent[3]) / 2, scale };
  farthest = clamp(Math.sqrt(n) * 0.5, 4, 64);
}

function readColours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(name).trim();
  colours = Array.from({ length: groups }, (_, k) => get(`--c${k}`));
  [paper, ink, card, line] = [get("--paper"), get("--ink"), get("--card"), get("--line")];
}

const tierOf = new Uint8Array(n).map((_, i) => (i < n * 0.02 ? 2 : i < n * 0.15 ? 1 : 0));
const zoom = () => view.scale / home.scale;
function radius(tier) {
  const size = clamp(1.9 * (3000 / Math.max(n, 300)) ** 0.15 * zoom() ** 0.32, 1.3, 5);
  return Math.round(size * [1, 1.25, 1.6][tier] * dpr * 4) / 4;
}

let pending = false;
function redraw() {
  if (!pending) {
    pending = true;
    requestAnimationFrame(frame);
  }
}

function frame(now) {
  pending = false;
  if (flight) fly(now);
  if (held.size) steer(now);
  draw();
  if (flight || held.size) redraw();
}

function draw() {
  const W = canvas.width, H = canvas.height;
  if (pxScale !== view.scale) {
    for (let i = 0; i < n; i++) {
      px[i] = Math.round(xy[2 * i] * view.scale);
      py[i] = Math.round(xy[2 * i + 1] * view.scale);
    }
    pxScale = view.scale;
  }
  // Whole pixels, so that all move alike.
  const ox = Math.round(middle.x - view.x * view.scale), oy = Math.round(middle.y - view.y * view.scale);
  placeLabels(ox, oy, W, H);
  drawPoints(ox, oy, W, H);
  if (chosen >= 0) {
    ctx.globalAlpha = 0.45;
    ctx.strokeStyle = colours[group[chosen]];
    ctx.lineWidth = 1.25 * dpr;
    ctx.beginPath();
    for (const { word } of near) {
      ctx.moveTo(px[chosen] + ox, py[chosen] + oy);
      ctx.lineTo(px[word] + ox, py[word] + oy);
    }
    ctx.stroke();
    ctx.globalAlpha = 1;
    for (const { word } of [...near, { word: chosen }]) { // once more, above the lines
      ctx.fillStyle = colours[group[word]];
      ctx.beginPath();
      ctx.arc(px[word] + ox, py[word] + oy, radius(tierOf[word]), 0, 2 * Math.PI);
      ctx.fill();
    }
  }
  drawLabels(ox, oy, W, H);
  if (chosen >= 0) ring(chosen, ox, oy);
  if (hovered >= 0) drawHover(ox, oy, W, H);
  ctx.globalAlpha = 1;
}

// Points are blended here, pixel by pixel: at ten thousand, several times as fast as giving each to the canvas where
// that has no graphics card, and no slower where it has.
let pixels = null, canvas32 = null;

function drawPoints(ox, oy, W, H) {
  if (!pixels || pixels.width !== W || pixels.height !== H) {
    pixels = new ImageData(W, H);
    canvas32 = new Uint32Array(pixels.data.buffer); // bytes r, g, b, a: the last is the highest
  }
  const rgb = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const [pr, pg, pb] = rgb(paper), inks = colours.map(rgb), masks = [0, 1, 2].map((tier) => disc(radius(tier)));
  canvas32.fill((0xff000000 | (pb << 16) | (pg << 8) | pr) >>> 0);
  const points = (which, strength) => {
    for (let i = n - 1; i >= 0; i--) { // frequent words on top
      if (lit && lit[i] !== which) continue;
      const x = px[i] + ox, y = py[i] + oy, { half, side, cover } = masks[tierOf[i]];
      if (x + half < 0 || y + half < 0 || x - half >= W || y - half >= H) continue;
      const [r, g, b] = inks[group[i]];
      const left = Math.max(0, half - x), right = Math.min(side, W + half - x);
      const top = Math.max(0, half - y), bottom = Math.min(side, H + half - y);
      for (let row = top; row < bottom; row++) {
        const start = (y + row - half) * W + x - half;
        for (let k = left; k < right; k++) {
          const alpha = (cover[row * side + k] * strength) >> 8;
          if (!alpha) continue;
          const was = canvas32[start + k], wr = was & 255, wg = (was >> 8) & 255, wb = (was >> 16) & 255;
          canvas32[start + k] = (0xff000000 | ((wb + (((b - wb) * alpha) >> 8)) << 16) |
            ((wg + (((g - wg) * alpha) >> 8)) << 8) | (wr + (((r - wr) * alpha) >> 8))) >>> 0;
        }
      }
    }
  };
  if (lit) points(0, 52);
  points(1, lit ? 256 : 210);
  ctx.putImageData(pixels, 0, 0);
}

function disc(radius) { // how much of each pixel it covers, of 256
  const half = Math.ceil(radius), side = 2 * half + 1;
  const cover = Int32Array.from({ length: side * side }, (_, k) =>
    256 * clamp(radius + 0.5 - Math.hypot((k % side) - half, Math.floor(k / side) - half), 0, 1));
  return { half, side, cover };
}

function ring(i, ox, oy) {
  ctx.globalAlpha = 1;
  ctx.strokeStyle = ink;
  ctx.lineWidth = 2 * dpr;
  ctx.beginPath();
  ctx.arc(px[i] + ox, py[i] + oy, radius(tierOf[i]) + 3 * dpr, 0, 2 * Math.PI);
  ctx.stroke();
}

// ------------------------------------------------------------------------------------------------ labels

// Placed one after the other, the frequent words first, where no other label is; for the visible part and a screen
// around it, so that they stay where they are while the map is moved.
const fonts = ["400 12px", "500 13px", "600 15px"], family = ' system-ui, -apple-system, "Segoe UI", "Noto Sans", "DejaVu Sans", sans-serif';
const font = (tier) => fonts[tier].replace(/(\d+)px/, (_, size) => `${size * dpr}px`) + family;
const widths = new Float32Array(n), sides = new Uint8Array(n);
let widthsDpr = 0, placed = [], placedFor = null, taken = new Uint8Array(0);

function width(i, tier) {
  if (!widths[i]) {
    ctx.font = font(tier);
    widths[i] = Math.max(1, Math.ceil(ctx.measureText(labels[i]).width));
  }
  return widths[i];
}

function placeLabels(ox, oy, W, H) {
  const was = placedFor;
  if (was && was.scale === view.scale && was.dpr === dpr && was.W === W && was.H === H &&
      Math.abs(was.ox - ox) < W * 0.6 && Math.abs(was.oy - oy) < H * 0.6) return;
  placedFor = { scale: view.scale, dpr, W, H, ox, oy };
  if (widthsDpr !== dpr) {
    widths.fill(0);
    widthsDpr = dpr;
  }
  const step = Math.ceil(4 * dpr), nx = Math.ceil(3 * W / step), ny = Math.ceil(3 * H / step);
  if (taken.length !== nx * ny) taken = new Uint8Array(nx * ny);
  else taken.fill(0);
  const busy = (left, top, right, bottom) => {
    const a = Math.floor((left + ox + W) / step), b = Math.floor((top + oy + H) / step);
    const c = Math.floor((right + ox + W) / step), d = Math.floor((bottom + oy + H) / step);
    if (a < 0 || b < 0 || c >= nx || d >= ny) return true;
    for (let row = b; row <= d; row++)
      for (let k = row * nx + a, end = row * nx + c; k <= end; k++) if (taken[k]) return true;
    return false;
  };
  const take = (left, top, right, bottom) => {
    const a = Math.floor((left + ox + W) / step), c = Math.floor((right + ox + W) / step);
    const b = Math.floor((top + oy + H) / step), d = Math.floor((bottom + oy + H) / step);
    for (let row = b; row <= d; row++) taken.fill(1, row * nx + a, row * nx + c + 1);
  };
  placed = [];
  const air = [(2 + 10 / zoom()) * dpr, (1 + 6 / zoom()) * dpr]; // fewer labels where more words are in sight
  const place = (i, always) => {
    const x = px[i], y = py[i], sx = x + ox, sy = y + oy;
    if (sx < -W || sy < -H || sx > 2 * W || sy > 2 * H) return;
    const tier = i === chosen ? 2 : tierOf[i], r = radius(tierOf[i]) + 3 * dpr, high = (tier === 2 ? 18 : 16) * dpr;
    const [ax, ay] = always ? [dpr, 0] : air;
    for (let turn = 0; turn < 4; turn++) {
      const side = (sides[i] + turn) % 4; // right, left, above, below; the last one first
      const top = side < 2 ? y - high / 2 : side === 2 ? y - r - high : y + r;
      if (side < 2) { // before the width is measured: is there room for one letter?
        const edge = side === 0 ? x + r : x - r - 8 * dpr;
        if (busy(edge, top, edge + 8 * dpr, top + high)) continue;
      }
      const w = width(i, tier), left = side === 0 ? x + r : side === 1 ? x - r - w : x - w / 2;
      if (busy(left - ax, top - ay, left + w + ax, top + high + ay)) continue;
      take(left, top, left + w, top + high);
      sides[i] = side;
      placed.push({ word: i, left: Math.round(left), top: Math.round(top), w, high, tier });
      return;
    }
  };
  const done = new Set();
  const first = (i) => {
    if (i >= 0 && !done.has(i)) {
      done.add(i);
      place(i, true);
    }
  };
  first(chosen);
  for (const { word } of near) first(word);
  for (let i = 0; i < n; i++) if (!done.has(i) && (only < 0 || group[i] === only)) place(i, false);
  if (only >= 0) for (let i = 0; i < n; i++) if (!done.has(i) && group[i] !== only) place(i, false);
}

function drawLabels(ox, oy, W, H) {
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  ctx.direction = "ltr";
  ctx.lineJoin = "round";
  ctx.lineWidth = 3 * dpr;
  ctx.strokeStyle = paper;
  for (let tier = 0; tier < 3; tier++) {
    ctx.font = font(tier);
    for (const { word, left, top, w, high, tier: own } of placed) {
      const x = left + ox, y = top + oy;
      if (own !== tier || x > W || y > H || x + w < 0 || y + high < 0) continue;
      const bright = !lit || lit[word];
      ctx.globalAlpha = bright ? 1 : 0.28;
      if (bright) ctx.strokeText(labels[word], x, y + high / 2);
      ctx.fillStyle = word === chosen ? ink : colours[group[word]];
      ctx.fillText(labels[word], x, y + high / 2);
    }
  }
}

function drawHover(ox, oy, W, H) {
  const x = px[hovered] + ox, y = py[hovered] + oy, high = 28 * dpr, pad = 10 * dpr;
  ring(hovered, ox, oy);
  ctx.font = font(1);
  const w = ctx.measureText(labels[hovered]).width + 2 * pad;
  const left = clamp(x - w / 2, 4, Math.max(4, W - w - 4)), top = y - high - 12 * dpr < 4 ? y + 12 * dpr : y - high - 12 * dpr;
  ctx.fillStyle = card;
  ctx.strokeStyle = line;
  ctx.lineWidth = dpr;
  ctx.beginPath();
  ctx.roundRect(left, top, w, high, 8 * dpr);
  ctx.fill();
  ctx.stroke();
  ctx.fillStyle = ink;
  ctx.fillText(labels[hovered], left + pad, top + high / 2);
}
