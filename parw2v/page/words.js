// The data, and what is asked of it: how a word is shown, its neighbours, words that match.
// Words are data: they reach the page only as textContent and as text on the canvas.

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const bytes = (text) => {
  const raw = atob(text), array = new Uint8Array(raw.length);
  for (let i = 0; i < raw.length; i++) array[i] = raw.charCodeAt(i);
  return array;
};
const { words, counts, dim } = data, n = words.length;
const xy = Float64Array.from(new Uint16Array(bytes(data.xy).buffer), (value) => value / 65535);
const group = bytes(data.group), groups = group.reduce((a, b) => Math.max(a, b)) + 1;
const vectors = new Int8Array(bytes(data.vectors).buffer);
const number = (value) => value.toLocaleString("en");
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

// As it can be shown: control characters by their pictures, marks that turn text around and the like as boxes,
// no more than three accents on a letter. Joiners stay, for scripts and emoji need them.
const shown = (word) => word
  .replace(/[\u0000-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
  .replace(/(?![\u200c\u200d\u{e0020}-\u{e007f}])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, "□")
  .replace(/(\p{M}{3})\p{M}+/gu, "$1") || "(empty)";
const labels = words.map((word) => {
  const text = shown(word);
  if (text.length <= 24) return text;
  const letters = [...text];
  return letters.length <= 24 ? text : letters.slice(0, 23).join("") + "…";
});
const fold = (word) => word.normalize("NFKC").toLowerCase();
let folded = null; // made when first searched

const lengths = new Float64Array(n);
for (let i = 0, k = 0; i < n; i++) {
  let sum = 0;
  for (const end = k + dim; k < end; k++) sum += vectors[k] * vectors[k];
  lengths[i] = Math.sqrt(sum);
}

function neighbours(word, most = 12) {
  const best = [];
  for (let i = 0, k = 0; i < n; i++) {
    let dot = 0;
    for (let j = word * dim, end = k + dim; k < end; k++, j++) dot += vectors[j] * vectors[k];
    if (i === word) continue;
    const cosine = dot / (lengths[word] * lengths[i]) || 0;
    if (best.length === most && cosine <= best[most - 1].cosine) continue;
    let at = best.length;
    while (at && best[at - 1].cosine < cosine) at--;
    best.splice(at, 0, { word: i, cosine });
    if (best.length > most) best.pop();
  }
  return best;
}

// What a group of words is called by: among its frequent words the three nearest to its mean.
function namesOf(k) {
  const mean = new Float64Array(dim), frequent = [];
  for (let i = 0; i < n; i++) {
    if (group[i] !== k || !lengths[i]) continue;
    for (let j = 0; j < dim; j++) mean[j] += vectors[i * dim + j] / lengths[i];
    if (i < n / 10 || frequent.length < 3) frequent.push(i);
  }
  const nearness = (i) => mean.reduce((sum, value, j) => sum + value * vectors[i * dim + j], 0) / lengths[i];
  const ranked = frequent.map((i) => [nearness(i), i]).sort((a, b) => b[0] - a[0]);
  return ranked.slice(0, 3).map(([, i]) => labels[i]).join(", ") || "(no direction)";
}

function search(query, most = 50) {
  folded ??= words.map(fold);
  const wanted = fold(query), exact = [], starts = [], holds = [];
  for (let i = 0; i < n; i++) {
    const at = folded[i].indexOf(wanted);
    if (at === 0) (folded[i].length === wanted.length ? exact : starts).push(i);
    else if (at > 0) holds.push(i);
  }
  const all = [...exact, ...starts, ...holds];
  return { all: all.slice(0, most), total: all.length };
}
