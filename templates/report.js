// Makes the page handier: sorting, search, links, copying, a dark page. The page is complete without it. Text from
// the log is only ever read from it and compared; nothing is parsed as markup, and the page's policy would refuse it.
"use strict";
(() => {
  const root = document.documentElement;
  const all = (selector, from) => Array.from((from || document).querySelectorAll(selector));
  const one = (selector, from) => (from || document).querySelector(selector);
  root.classList.add("js");

  // --- What the address says: #f=<fingerprint>&sort=-calls&q=words, or a plain anchor.
  const state = { f: "", sort: "-total", q: "" };
  const readAddress = () => {
    const hash = location.hash.slice(1);
    const next = { f: "", sort: "-total", q: "" };
    if (/^f-\w{1,32}$/.test(hash)) next.f = hash.slice(2);
    else if (hash.includes("=")) {
      const params = new URLSearchParams(hash);
      const f = params.get("f") || "", sort = params.get("sort") || "";
      if (/^\w{1,32}$/.test(f)) next.f = f;
      if (/^-?[a-z0-9]{1,12}$/.test(sort)) next.sort = sort;
      next.q = (params.get("q") || "").slice(0, 300);
    }
    return next;
  };
  const address = (of) => {
    const params = new URLSearchParams();
    if (of.f) params.set("f", of.f);
    if (of.sort !== "-total") params.set("sort", of.sort);
    if (of.q) params.set("q", of.q);
    return "#" + params.toString();
  };
  const writeAddress = () => {
    const next = address(state);
    if (next === "#" && !location.hash.includes("=") && !location.hash.startsWith("#f-")) return;
    if (location.hash !== next) history.replaceState(null, "", next === "#" ? "#statements" : next);
  };

  // --- Sorting: a header is a button; the first click puts the largest number or the first letter on top.
  const collator = new Intl.Collator("en");
  const valueOf = (row, column) => {
    const cell = row.cells[column];
    if (!cell) return "";
    // What nobody knows is no number.
    if (cell.textContent.trim() === "–") return null;
    return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
  };
  const sortRows = (table, column, descending) => {
    const grouped = table.classList.contains("statements");
    const rows = grouped ? Array.from(table.tBodies) : Array.from(table.tBodies[0].rows);
    const keyed = rows.map((row, i) => {
      if (!row.dataset.at) row.dataset.at = String(i + 1);
      return { row, at: Number(row.dataset.at), key: valueOf(grouped ? row.rows[0] : row, column) };
    });
    keyed.sort((a, b) => {
      // The unknown comes last, whichever way.
      if (a.key === null || b.key === null) return (a.key === null) - (b.key === null) || a.at - b.at;
      const order = typeof a.key === "number" && typeof b.key === "number" ? a.key - b.key : collator.compare(String(a.key), String(b.key));
      return (descending ? -order : order) || a.at - b.at;
    });
    const home = grouped ? table : table.tBodies[0];
    home.append(...keyed.map((k) => k.row));
    Array.from(table.tHead.rows[0].cells).forEach((th, i) => {
      if (th.hasAttribute("aria-sort") || i === column) th.setAttribute("aria-sort", i === column ? (descending ? "descending" : "ascending") : "none");
    });
  };
  const headers = (table) => Array.from(table.tHead.rows[0].cells);
  const makeSortable = (table, onSort) => {
    headers(table).forEach((th, column) => {
      if (table.classList.contains("statements") && !th.dataset.key) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...th.childNodes);
      th.append(button);
      if (!th.hasAttribute("aria-sort")) th.setAttribute("aria-sort", "none");
      button.addEventListener("click", () => {
        const now = th.getAttribute("aria-sort");
        const descending = now === "none" ? th.classList.contains("num") && th.dataset.key !== "rank" : now === "ascending";
        onSort(column, descending);
      });
    });
  };
  all("table.sortable").forEach((table) => makeSortable(table, (column, descending) => sortRows(table, column, descending)));

  const statements = one("#statements-table");
  const columnOf = (key) => headers(statements).findIndex((th) => th.dataset.key === key);
  let sorted = "-total"; // as the page comes
  const applySort = () => {
    if (columnOf(state.sort.replace("-", "")) < 0) state.sort = "-total";
    if (state.sort !== sorted) sortRows(statements, columnOf(state.sort.replace("-", "")), state.sort.startsWith("-"));
    sorted = state.sort;
    all(".orders button").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.sort === state.sort)));
  };
  const setSort = (sort) => { state.sort = sort; applySort(); writeAddress(); };
  makeSortable(statements, (column, descending) => setSort((descending ? "-" : "") + headers(statements)[column].dataset.key));
  all(".orders").forEach((orders) => { orders.hidden = false; });
  all(".orders button").forEach((button) => button.addEventListener("click", () => setSort(button.dataset.sort)));

  // --- Search: every word must occur, "in quotes" as written, -word must not. Tables with statements follow.
  const bodies = Array.from(statements.tBodies);
  const texts = new Map();
  const textOf = (element) => {
    let text = texts.get(element);
    if (text === undefined) { text = element.textContent.toLowerCase().replace(/\s+/g, " "); texts.set(element, text); }
    return text;
  };
  const words = (query) => (query.toLowerCase().match(/-?"[^"]*"?|\S+/g) || []).map((word) => {
    const not = word.length > 1 && word.startsWith("-");
    return { not, text: word.slice(not ? 1 : 0).replace(/"/g, "").replace(/\s+/g, " ") };
  }).filter((word) => word.text);
  const matches = (element, wanted) => wanted.every((word) => textOf(element).includes(word.text) !== word.not);
  const others = all("table.sortable").filter((table) => one("td.query", table)).flatMap((table) => Array.from(table.tBodies[0].rows));
  const folded = all(".finding");
  const input = one("#q"), told = one(".matches"), none = one(".none");
  // Where the page has only some of the statements, the search says so.
  const more = told.dataset.more, here = more ? "here " : "", beyond = more ? " The " + more + " others stand in the JSON report only." : "";
  const applySearch = () => {
    const wanted = words(state.q);
    let found = 0;
    bodies.forEach((body) => { body.hidden = !matches(body, wanted); if (!body.hidden) found += 1; });
    others.concat(folded).forEach((row) => { row.hidden = !matches(row, wanted); });
    told.hidden = !wanted.length;
    told.textContent = wanted.length ? found + " of " + bodies.length + " statements " + here + "match “" + state.q.trim() + "”." + beyond : "";
    none.hidden = found > 0 || !wanted.length;
  };
  let timer = 0;
  one(".find").hidden = false;
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { state.q = input.value; state.f = ""; applySearch(); writeAddress(); }, 80);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") { event.preventDefault(); one("#statements").scrollIntoView(); }
    if (event.key === "Escape") { input.value = ""; state.q = ""; applySearch(); writeAddress(); input.blur(); }
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof Element && event.target.closest("input, textarea, select");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) { event.preventDefault(); input.focus(); input.select(); }
  });

  // --- A statement opens below its row.
  const toggleOf = (body) => one(".rank button", body);
  const setOpen = (body, open) => {
    one("details", body).open = open;
    body.classList.toggle("open", open);
    toggleOf(body).setAttribute("aria-expanded", String(open));
  };
  bodies.forEach((body) => {
    const rank = one(".rank", body);
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-expanded", "false");
    button.setAttribute("aria-label", "Details of statement " + rank.textContent);
    button.append(...rank.childNodes);
    rank.append(button);
    one("tr.head", body).addEventListener("click", (event) => {
      if (String(getSelection())) return;
      if (event.target instanceof Element && event.target.closest("a")) return;
      const open = !one("details", body).open;
      setOpen(body, open);
      state.f = open ? body.id.slice(2) : "";
      writeAddress();
    });
  });
  const showStatement = () => {
    const body = state.f && document.getElementById("f-" + state.f);
    if (!body) return;
    body.hidden = false;
    setOpen(body, true);
    body.scrollIntoView({ block: "start" });
  };

  // --- Copying.
  const copy = async (text, button) => {
    const label = button.textContent;
    let done = true;
    try { await navigator.clipboard.writeText(text); } catch { done = false; }
    button.textContent = done ? "Copied" : "Not allowed here";
    setTimeout(() => { button.textContent = label; }, 1500);
  };
  all(".tools").forEach((tools) => { tools.hidden = false; });
  statements.addEventListener("click", (event) => {
    const button = event.target instanceof Element && event.target.closest("button[data-copy]");
    if (!button) return;
    const body = button.closest("tbody");
    const link = location.href.split("#")[0] + address({ f: body.id.slice(2), sort: state.sort, q: "" });
    copy(button.dataset.copy === "sql" ? one("pre.sql", body).textContent : link, button);
  });

  // --- Light and dark: the system's choice until a click says otherwise.
  const theme = one("#theme");
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches);
  const paint = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", isDark() ? "Use the light page" : "Use the dark page"); };
  try { const kept = localStorage.getItem("pglens-theme"); if (kept === "dark" || kept === "light") root.dataset.theme = kept; } catch { /* no storage for files here */ }
  theme.hidden = false;
  theme.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("pglens-theme", root.dataset.theme); } catch { /* it holds until the page closes */ }
    paint();
  });
  prefersDark.addEventListener("change", paint);
  paint();

  // --- The menu marks the section that is being read.
  const links = new Map(all("nav a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    entries.filter((entry) => entry.isIntersecting).forEach((entry) => {
      links.forEach((link) => link.removeAttribute("aria-current"));
      const link = links.get(entry.target.id);
      if (link) link.setAttribute("aria-current", "true");
    });
  }, { rootMargin: "-80px 0px -70% 0px" });
  all("main section[id]").forEach((section) => seen.observe(section));

  // --- Only what can be scrolled needs to be reached by keyboard.
  const reach = () => all(".scroll[tabindex]").forEach((box) => { box.tabIndex = box.scrollWidth > box.clientWidth ? 0 : -1; });
  addEventListener("resize", reach);
  reach();

  const follow = () => {
    const next = readAddress();
    const plain = location.hash && !location.hash.includes("=") && !location.hash.startsWith("#f-");
    if (plain) {
      const finding = document.getElementById(location.hash.slice(1));
      if (finding && finding.matches("details.finding")) { finding.hidden = false; finding.open = true; finding.scrollIntoView({ block: "start" }); }
      return;
    }
    // A link to a statement shows it among all others, and in the order as it is.
    if (location.hash.startsWith("#f-")) { state.f = next.f; state.q = ""; } else Object.assign(state, next);
    input.value = state.q;
    applySort();
    applySearch();
    showStatement();
  };
  addEventListener("hashchange", follow);
  addEventListener("popstate", follow);
  follow();
  if (!location.hash) applySort();
})();
