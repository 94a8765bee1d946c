// Rows open, sort, filter and fold. Without this script everything is open, in the order of rank.
(() => {
  const table = document.getElementById("ranks");
  if (!table) return;
  document.documentElement.classList.add("js");
  const bodies = [...table.tBodies];
  const cells = new Map(bodies.map((body) => [body, [...body.rows[0].cells]]));
  const find = document.getElementById("find"), type = document.getElementById("type");
  const fold = document.getElementById("fold"), found = document.getElementById("found");
  const unfolded = new Set();

  const button = (text, pressed, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.append(text);
    if (pressed !== null) made.setAttribute("aria-expanded", pressed);
    made.addEventListener("click", () => act(made));
    return made;
  };
  const open = (body, yes) => {
    body.classList.toggle("open", yes);
    body.querySelector(".who button")?.setAttribute("aria-expanded", yes);
  };
  for (const body of bodies) {
    if (body.rows[1]) {
      const who = body.querySelector(".who");
      const made = button(who.firstChild, false, () => open(body, !body.classList.contains("open")));
      made.setAttribute("aria-controls", body.rows[1].id);
      who.append(made);
    }
    if (body.dataset.folds) {
      const more = button(`show ${body.dataset.folds} behind it`, false, (made) => {
        const yes = !unfolded.has(body.id);
        yes ? unfolded.add(body.id) : unfolded.delete(body.id);
        made.setAttribute("aria-expanded", yes);
        show();
      });
      more.className = "chip";
      cells.get(body)[1].append(more);
    }
  }

  let by = 0, down = false;
  const show = () => {
    const words = find.value.toLowerCase(), folds = fold?.checked && !words && !type.value;
    let seen = 0;
    for (const body of bodies) {
      const fits = (!type.value || body.dataset.type === type.value) && body.rows[0].textContent.toLowerCase().includes(words);
      body.hidden = !fits || (folds && body.dataset.behind && !unfolded.has(body.dataset.behind));
      seen += !body.hidden;
    }
    arrange(folds);
    found.textContent = seen === bodies.length ? `${seen} shown` : `${seen} of ${bodies.length} shown`;
  };
  for (const input of [find, type, fold]) input?.addEventListener("input", show);

  const value = (body, at) => {
    const cell = cells.get(body)[at], text = cell.firstChild.textContent.trim().toLowerCase();
    // a time of another date bears it, and comes before the night's own
    if (cell.matches(".first")) return /^\d\d:/.test(text) ? `~${text}` : text;
    return cell.matches(".rank, .score, .requests") ? parseFloat(text.replace(/,/g, "")) : text;
  };
  const arrange = (folds) => {
    const keys = new Map(bodies.map((body) => [body, value(body, by)]));
    const order = (a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || bodies.indexOf(a) - bodies.indexOf(b);
    };
    const place = (body) => {
      table.append(body);
      if (folds && body.dataset.folds) bodies.filter((other) => other.dataset.behind === body.id).sort(order).forEach(place);
    };
    bodies.filter((body) => !folds || !body.dataset.behind).sort(order).forEach(place);
  };
  const sort = (head, at) => {
    const was = head.getAttribute("aria-sort");
    by = at;
    down = was ? was === "ascending" : head.matches(".score, .requests");
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    show();
  };
  [...table.tHead.rows[0].cells].forEach((head, at) => {
    if (head.matches(".why, .strip")) return;
    head.append(button(head.firstChild, null, () => sort(head, at)));
  });

  table.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const buttons = [...table.querySelectorAll("tbody:not([hidden]) .who button")], at = buttons.indexOf(event.target);
    if (!step || at < 0 || !buttons[at + step]) return;
    event.preventDefault();
    buttons[at + step].focus();
  });
  const follow = () => {
    const body = bodies.find((one) => `#${one.id}` === location.hash);
    if (body) open(body, true);
  };
  addEventListener("hashchange", follow);
  show();
  follow();
})();
