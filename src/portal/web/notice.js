// A notice in the place of results: counts down, and gives way to them.
(() => {
  var page = printed(), mine = page.estado, going = false;
  var count = document.getElementById("count");

  // A cache in between may still have the old page: the same reason does not reload at once a second time.
  function again(state) {
    if (going) return;
    going = true;
    var why = mark(state), times = 0;
    try {
      var last = JSON.parse(sessionStorage.getItem("difusor-aviso")) || {};
      if (last.why === why) times = last.times + 1;
      sessionStorage.setItem("difusor-aviso", JSON.stringify({ why: why, times: times }));
    } catch (e) { times = 3; }
    setTimeout(() => { location.reload(); }, times && around(Math.min(60e3, 1e3 * Math.pow(2, times))));
  }

  var shown;
  function show() {
    var s = Math.max(0, Math.ceil((Date.parse(mine.abre) - electionNow()) / 1e3));
    if (isNaN(s) || s === shown) return;
    shown = s;
    var all = [Math.floor(s / 86400), Math.floor(s / 3600) % 24, Math.floor(s / 60) % 60, s % 60], begun = false;
    count.textContent = "";
    all.forEach((n, i) => {
      begun = begun || n > 0 || i === 3;
      if (!begun) return;
      var part = document.createElement("span"), unit = document.createElement("small");
      unit.textContent = "\u00a0" + page.palabras.cuenta[i];
      part.append(n, unit);
      count.append(part, " ");
    });
  }

  document.getElementById("itself").hidden = false;
  // Within our embed, that one asks and reloads, and says whose page it is.
  var embedded = false;
  try { embedded = parent !== window && parent.document.documentElement.hasAttribute("data-prep"); } catch (e) {}
  document.documentElement.classList.toggle("is-embedded", embedded);
  if (count) setInterval(show, 250);
  if (!embedded) follow(mine, state => { if (mark(state) !== mark(mine)) again(state); }, () => {});
  else if (count) ask().catch(() => {});
})();
