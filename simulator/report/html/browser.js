"use strict";
// Everything that comes from a run is put on the page as text (textContent), never as HTML.
(() => {
  const root = document.documentElement, byId = (id) => document.getElementById(id);
  const themes = matchMedia("(prefers-color-scheme: dark)"), toggle = byId("theme");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : themes.matches);
  const told = () => toggle.setAttribute("aria-pressed", String(dark()));
  toggle.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; told(); });
  told();

  const index = JSON.parse(byId("index").textContent);
  const pieces = [...document.querySelectorAll("script.piece")];
  const opened = new Map();
  const [ARM, STATUS, USER, ROUND, REPLICATE, ACCEPTED] = [0, 1, 2, 3, 4, 5];
  const HEIGHT = 44, USABLE = new Set(["ok", "repaired", "partial"]);
  let shown = [], at = 0, asked = 0;

  const element = (tag, text, name) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (name) made.className = name;
    return made;
  };
  const fill = (select, names) => names.forEach((name, number) => {
    const option = element("option", name); option.value = String(number); select.append(option);
  });
  fill(byId("arm"), index.arms); fill(byId("status"), index.statuses); fill(byId("other"), index.arms);
  if (index.arms.length < 2) byId("other").parentElement.hidden = true;

  const open = async (number) => {
    if (!opened.has(number)) {
      opened.set(number, (async () => {
        const packed = Uint8Array.from(atob(pieces[number].textContent), (sign) => sign.charCodeAt(0));
        const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
        return JSON.parse(await new Response(stream).text());
      })());
    }
    return opened.get(number);
  };
  const texts = async (turn) => (await open(Math.floor(turn / index.piece)))[turn % index.piece];

  const places = new Map(index.turns.map((turn, number) => [[turn[ARM], turn[USER], turn[ROUND], turn[REPLICATE]].join(), number]));

  const filter = async () => {
    const ticket = ++asked;
    const arm = byId("arm").value, status = byId("status").value, query = byId("query").value.trim().toLowerCase();
    let found = index.turns.map((_, number) => number).filter((number) => {
      const turn = index.turns[number];
      return (arm === "" || turn[ARM] === +arm) && (status === "" || turn[STATUS] === +status);
    });
    if (query) {
      const items = new Set(index.items.flatMap((title, number) => (title.toLowerCase().includes(query) ? [number] : [])));
      const kept = [];
      for (const number of found) {
        if (ticket !== asked) return;
        if (index.users[index.turns[number][USER]].toLowerCase() === query) { kept.push(number); continue; }
        const said = await texts(number);
        if (said.shown.some((item) => items.has(item)) || said.calls.some((call) => (call.reply || "").toLowerCase().includes(query))) kept.push(number);
        if (number % 500 === 0) byId("count").textContent = `searching: ${number.toLocaleString("en")} of ${index.turns.length.toLocaleString("en")}`;
      }
      found = kept;
    }
    if (ticket !== asked) return;
    shown = found; at = 0;
    byId("count").textContent = `${shown.length.toLocaleString("en")} of ${index.turns.length.toLocaleString("en")} turns`;
    byId("list").scrollTop = 0;
    byId("space").style.height = `${shown.length * HEIGHT}px`;
    draw(); show();
  };

  const draw = () => {
    const list = byId("list"), first = Math.max(0, Math.floor(list.scrollTop / HEIGHT) - 5);
    const last = Math.min(shown.length, first + Math.ceil(list.clientHeight / HEIGHT) + 10);
    const rows = byId("rows");
    rows.style.top = `${first * HEIGHT}px`;
    rows.replaceChildren(...shown.slice(first, last).map((number, place) => {
      const turn = index.turns[number], status = index.statuses[turn[STATUS]];
      const row = element("div", undefined, "row");
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", String(first + place === at));
      row.append(element("span", `user ${index.users[turn[USER]]}`), element("span", status, USABLE.has(status) ? "" : "bad"),
        element("span", index.arms[turn[ARM]], "small"), element("span", `${turn[ACCEPTED]} accepted`, "small"));
      row.addEventListener("click", () => { at = first + place; draw(); show(); });
      return row;
    }));
  };

  const list = (title, items, said, ordered) => {
    const part = element("div");
    part.append(element("h3", title));
    if (!items.length) { part.append(element("p", "none", "quiet")); return part; }
    const rows = element("ol", undefined, "slate");
    const accepted = new Set(said.accepted), rejected = new Set(said.rejected), held = new Set(said.targets);
    for (const item of items) {
      const row = element("li", index.items[item]);
      if (ordered && accepted.has(item)) row.append(element("span", "accepted", "tag yes"));
      if (ordered && rejected.has(item)) row.append(element("span", "rejected", "tag no"));
      if (held.has(item)) row.append(element("span", "★ held out", "tag held"));
      if (said.planted === item) row.append(element("span", "planted", "tag no"));
      rows.append(row);
    }
    part.append(rows);
    return part;
  };

  const side = async (number) => {
    const turn = index.turns[number], said = await texts(number), part = element("div");
    const status = index.statuses[turn[STATUS]];
    part.append(element("h3", `${index.arms[turn[ARM]]}, user ${index.users[turn[USER]]}`));
    const counts = Object.entries(said.counts).map(([name, count]) => `${count} ${name}`).join(", ");
    const line = element("p", `round ${turn[ROUND]}, replicate ${turn[REPLICATE]}: `, "quiet");
    line.append(element("strong", status, USABLE.has(status) ? "yes" : "no"), counts ? ` (${counts})` : "");
    if (said.fallback) line.append("; no usable answer, so the candidates stay in the order that they were proposed in");
    part.append(line);
    if (said.error) part.append(element("p", said.error, "no"));
    for (const [number, call] of said.calls.slice(0, 3).entries()) {
      part.append(element("h3", said.calls.length > 1 ? `Reply ${number + 1} of ${said.calls.length}` : "Reply"));
      part.append(element("pre", call.reply === null ? call.error || "no reply" : call.reply));
      const prompt = element("details");
      prompt.append(element("summary", "Prompt"), ...call.messages.flatMap(([role, text]) => [element("p", role, "quiet"), element("pre", text)]));
      part.append(prompt);
    }
    const order = said.ranking.length ? said.ranking : said.shown;
    part.append(list(said.ranking.length ? "As the user ranked it" : "As it was shown: nothing was ranked", order, said, true));
    part.append(list("Shown to the user in the end", said.final, said, false));
    return part;
  };

  const show = async () => {
    const article = byId("turn"), ticket = asked, wanted = at;
    if (!shown.length) { article.replaceChildren(element("p", "No turn fits these filters.", "quiet")); return; }
    const number = shown[at], turn = index.turns[number], sides = [await side(number)];
    const other = byId("other").value;
    if (other !== "" && +other !== turn[ARM]) {
      const beside = places.get([+other, turn[USER], turn[ROUND], turn[REPLICATE]].join());
      sides.push(beside === undefined ? element("p", `No such turn of this user in ${index.arms[+other]} is on this page.`, "quiet") : await side(beside));
    }
    if (ticket !== asked || wanted !== at) return;
    const box = element("div", undefined, "sides");
    box.append(...sides);
    article.replaceChildren(box);
    article.scrollTop = 0;
  };

  const move = (to) => {
    if (!shown.length) return;
    at = Math.max(0, Math.min(shown.length - 1, to));
    const box = byId("list");
    if (at * HEIGHT < box.scrollTop) box.scrollTop = at * HEIGHT;
    if ((at + 1) * HEIGHT > box.scrollTop + box.clientHeight) box.scrollTop = (at + 1) * HEIGHT - box.clientHeight;
    draw(); show();
  };
  byId("list").addEventListener("keydown", (event) => {
    const page = Math.floor(byId("list").clientHeight / HEIGHT) - 1;
    const to = { ArrowDown: at + 1, j: at + 1, ArrowUp: at - 1, k: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: shown.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  });
  byId("list").addEventListener("scroll", () => requestAnimationFrame(draw));
  addEventListener("resize", draw);
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  for (const id of ["arm", "status"]) byId(id).addEventListener("change", filter);
  byId("other").addEventListener("change", show);
  let waiting;
  byId("query").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 200); });
  filter();
})();
