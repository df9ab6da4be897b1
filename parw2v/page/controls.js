// What is around the map: choosing, finding, links, keys, buttons, themes; and the start.

const element = (tag, text, className = "") => {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
};

function light() {
  lit = null;
  if (chosen >= 0) {
    lit = new Uint8Array(n);
    lit[chosen] = 1;
    for (const { word } of near) lit[word] = 1;
  } else if (only >= 0) lit = group.map((k) => Number(k === only));
  placedFor = null;
  redraw();
}

function choose(word, { flies = false, linked = false } = {}) {
  for (const i of [chosen, word]) widths[i] = 0; // their labels change size
  chosen = word;
  near = word < 0 ? [] : neighbours(word);
  if (word >= 0) pressOnly(-1);
  $("chosen").hidden = word < 0;
  $("legend").hidden = word >= 0;
  if (word >= 0) {
    $("word").textContent = shown(words[word]);
    $("facts").textContent = `${number(counts[word])} times in the text, rank ${number(word + 1)}`;
    $("near").replaceChildren(...near.map(({ word: other, cosine }) => {
      const item = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.append(element("bdi", shown(words[other])), element("small", cosine.toFixed(3)));
      button.style.setProperty("--share", clamp(cosine, 0, 1));
      button.style.setProperty("--colour", `var(--c${group[other]})`);
      button.addEventListener("click", () => choose(other, { flies: true }));
      item.append(button);
      return item;
    }));
    $("panel").scrollTop = 0;
    say(`${shown(words[word])}. Nearest: ${near.slice(0, 5).map(({ word: other }) => shown(words[other])).join(", ")}`);
    if (flies) flyTo(word);
  } else say("Nothing chosen");
  if (!linked) link(word);
  light();
}

const say = (text) => { $("status").textContent = text; };

// A link to a word: #word, as it stands in the vocabulary.
const index = new Map(words.map((word, i) => [word, i]));
function link(word) {
  let hash = "";
  try {
    hash = word < 0 ? "" : encodeURIComponent(words[word]);
  } catch { /* half a surrogate pair has no address */ }
  if (location.hash.slice(1) !== hash) {
    try {
      history.pushState(null, "", hash ? `#${hash}` : location.pathname + location.search);
    } catch { /* where a page may have no history */ }
  }
}
function follow(flies) {
  let word = "";
  try {
    word = decodeURIComponent(location.hash.slice(1));
  } catch { /* not an address of ours */ }
  const found = word === "" ? -1 : index.get(word) ?? -1;
  if (found !== chosen) choose(found, { flies, linked: true });
  if (word !== "" && found < 0) say(`${shown(word)} is not on the map`);
}
addEventListener("hashchange", () => follow(true));
addEventListener("popstate", () => follow(true));

// ------------------------------------------------------------------------------------------------ finding

const box = $("search"), list = $("found");
let found = [], active = -1;

function lookUp() {
  const query = box.value.trim();
  const { all, total } = query ? search(query) : { all: [], total: 0 };
  found = all;
  list.hidden = !query;
  box.setAttribute("aria-expanded", String(!list.hidden));
  list.replaceChildren(...found.map((word, k) => {
    const item = document.createElement("li");
    item.id = `found-${k}`;
    item.setAttribute("role", "option");
    item.append(element("bdi", shown(words[word])), element("small", number(counts[word])));
    item.addEventListener("pointerdown", (event) => event.preventDefault()); // the box keeps the focus
    item.addEventListener("click", () => take(k));
    return item;
  }));
  if (query && !found.length) list.append(element("li", "No such word on the map", "none"));
  if (query) say(total === 1 ? "1 word" : `${number(total)} words${total > found.length ? `, the first ${found.length} shown` : ""}`);
  activate(found.length ? 0 : -1);
}

function activate(k) {
  list.children[active]?.setAttribute("aria-selected", "false");
  active = k;
  if (k < 0) box.removeAttribute("aria-activedescendant");
  else {
    list.children[k].setAttribute("aria-selected", "true");
    list.children[k].scrollIntoView({ block: "nearest" });
    box.setAttribute("aria-activedescendant", `found-${k}`);
  }
}

function take(k) {
  const word = found[k];
  box.value = "";
  lookUp();
  box.blur();
  choose(word, { flies: true });
}

box.addEventListener("input", lookUp);
box.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && found.length) activate((active + step + found.length) % found.length);
  else if (event.key === "Enter" && active >= 0) take(active);
  else if (event.key === "Escape") {
    if (box.value) {
      box.value = "";
      lookUp();
    } else {
      box.blur();
      choose(-1);
    }
  } else return;
  event.preventDefault();
});

// ------------------------------------------------------------------------------------------------ keys and buttons

const zoomMiddle = (factor) => zoomAt(factor, middle.x, middle.y);
const showAll = () => {
  sides.fill(0); // labels as they were at first
  goTo(home.x, home.y, home.scale);
};
const actions = {
  "+": () => zoomMiddle(1.4), "=": () => zoomMiddle(1.4), "-": () => zoomMiddle(1 / 1.4), "_": () => zoomMiddle(1 / 1.4),
  "0": showAll, "/": () => box.focus(), "Escape": () => (chosen >= 0 ? choose(-1) : pressOnly(-1)),
};
addEventListener("keydown", (event) => {
  if (event.target === box || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (ways[event.key]) {
    if (!held.size) steered = performance.now();
    if (!held.has(event.key)) moveBy(ways[event.key][0] * 16 * dpr, ways[event.key][1] * 16 * dpr);
    held.set(event.key, ways[event.key]);
  } else if (Object.hasOwn(actions, event.key)) actions[event.key]();
  else return;
  event.preventDefault();
});
addEventListener("keyup", (event) => held.delete(event.key));
addEventListener("blur", () => held.clear());

$("in").addEventListener("click", () => zoomMiddle(1.6));
$("out").addEventListener("click", () => zoomMiddle(1 / 1.6));
$("all").addEventListener("click", showAll);
$("clear").addEventListener("click", () => {
  choose(-1);
  canvas.focus();
});

function pressOnly(k) {
  only = k;
  [...$("groups").children].forEach((item, i) => item.firstChild.setAttribute("aria-pressed", String(i === k)));
  light();
}
$("groups").append(...Array.from({ length: groups }, (_, k) => {
  const item = document.createElement("li"), button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-pressed", "false");
  button.append(element("bdi", namesOf(k)));
  button.style.setProperty("--colour", `var(--c${k})`);
  button.addEventListener("click", () => pressOnly(only === k ? -1 : k));
  item.append(button);
  return item;
}));

const prefers = matchMedia("(prefers-color-scheme: dark)"), storage = "parw2v-theme";
const remembered = () => {
  try {
    return localStorage.getItem(storage);
  } catch { // pages from files may have no storage
    return null;
  }
};
function paint(theme) {
  document.documentElement.dataset.theme = theme;
  $("theme").setAttribute("aria-pressed", String(theme === "dark"));
  readColours();
  redraw();
}
$("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  try {
    localStorage.setItem(storage, theme);
  } catch { /* then until the page is closed */ }
  paint(theme);
});
prefers.addEventListener("change", () => remembered() || paint(prefers.matches ? "dark" : "light"));

// ------------------------------------------------------------------------------------------------ start

const share = n < data.vocabulary ? `${number(n)} most frequent of ${number(data.vocabulary)} words` : `${number(n)} words`;
$("about").textContent = [data.name && shown(data.name), share, data.method].filter(Boolean).join(" · ");
document.title = data.name ? `${shown(data.name)}: map of words` : "Map of words";
canvas.setAttribute("aria-label", `Map of ${share}; words with similar vectors lie together`);
if (innerWidth <= 720) $("legend").open = false;
paint(remembered() || (prefers.matches ? "dark" : "light"));
measure();
Object.assign(view, home);
follow(false);
if (chosen >= 0) {
  flyTo(chosen);
  flight.ms = 0;
}
new ResizeObserver(() => {
  const whole = Math.abs(zoom() - 1) < 1e-9 && view.x === home.x && view.y === home.y;
  measure();
  if (whole) Object.assign(view, home);
  redraw();
}).observe(canvas);
