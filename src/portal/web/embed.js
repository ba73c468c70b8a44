// The bar above the publication: follows the cortes, reloads the frame below and nothing else.
(() => {
  var page = printed(), mine = page.estado, words = page.palabras, root = document.documentElement;
  // How long after a reload the place on the page is sought: what scripts draw comes later.
  var SEEK = 5e3;
  var corte = document.getElementById("corte"), state = document.getElementById("state");
  var live = document.getElementById("live"), full = document.getElementById("full"), header = document.querySelector("header");

  // `?ruta=/path`: a path of this site, and not this page.
  function start() {
    var path = new URLSearchParams(location.search).get("ruta") || "/";
    if (!/^\/(?![\/\\])[^\\\u0000-\u0020]*$/.test(path)) return "/";
    var url = new URL(path, location.origin);
    return url.origin === location.origin && !/^\/+\.prep\/embed/.test(url.pathname) ? url.href : "/";
  }

  var frame = document.createElement("iframe");
  frame.title = words.resultados;
  frame.allowFullscreen = true;
  frame.src = start();
  document.getElementById("main").prepend(frame);

  // The window of the publication; null where the frame shows what is not ours.
  function inner() {
    try { return frame.contentWindow.document.documentElement && frame.contentWindow; } catch (e) { return null; }
  }

  var place = null;
  function reload() {
    var w = inner();
    if (!w || w.location.origin !== location.origin) { frame.src = start(); return; }
    var focused = w.document.activeElement;
    place = { x: w.scrollX, y: w.scrollY, path: w.location.pathname, focus: focused && focused.id, until: 0 };
    w.location.reload();
  }

  // Back to where people were, until they move by themselves.
  function seek() {
    var w = inner();
    if (!place || !w) return;
    place.until = place.until || Date.now() + SEEK;
    if (Date.now() > place.until || w.location.pathname !== place.path) { place = null; return; }
    w.scrollTo(place.x, place.y);
    var focus = place.focus && w.document.getElementById(place.focus);
    if (focus) { focus.focus({ preventScroll: true }); place.focus = ""; }
  }

  // Tells the page that embeds this one how high all of it is; null until that is known.
  function tell(height) {
    if (parent !== window) parent.postMessage({ prep: 1, alto: height, estado: mine.estado }, "*");
  }
  function measure() {
    var w = inner();
    if (!w || !w.document.body) return;
    var d = w.document, content = Math.max(d.documentElement.getBoundingClientRect().height, d.body.scrollHeight);
    tell(Math.ceil(content + header.getBoundingClientRect().height));
  }

  frame.addEventListener("load", () => {
    tell(null);
    var w = inner();
    if (!w || !w.document.body) return;
    ["wheel", "touchstart", "keydown", "pointerdown"].forEach(kind => {
      w.addEventListener(kind, () => { place = null; }, { passive: true });
    });
    seek();
    if (w.ResizeObserver) new w.ResizeObserver(() => { seek(); measure(); }).observe(w.document.body);
    setTimeout(measure, 100);
  });

  function offline(is) {
    root.classList.toggle("is-offline", is);
    state.textContent = is ? words.sin_conexion : mine.estado_texto;
  }

  function heard(next) {
    var before = mine, isNew = next.corte !== before.corte || next.eleccion !== before.eleccion || next.tipo !== before.tipo;
    mine = next;
    root.dataset.state = next.estado;
    root.classList.toggle("is-drill", next.simulacro);
    offline(false);
    corte.textContent = "";
    if (next.corte) {
      var time = document.createElement("time");
      time.dateTime = next.fecha_hora;
      time.textContent = next.texto;
      corte.append(words.corte + " ", time);
    } else corte.textContent = words.sin_corte;
    if (isNew && next.corte) live.textContent = words.nuevo + " " + next.texto;
    else if (next.estado !== before.estado) live.textContent = next.estado_texto;
    // A notice of ours in the frame changes with all that it says; results only with the corte.
    if (isNew || next.resultados !== before.resultados || !next.resultados && mark(next) !== mark(before)) reload();
  }

  follow(mine, heard, misses => { if (misses > 2) offline(true); });

  if (document.fullscreenEnabled) {
    full.hidden = false;
    full.addEventListener("click", () => {
      if (document.fullscreenElement) document.exitFullscreen();
      else root.requestFullscreen().catch(() => { full.hidden = true; });
    });
    document.addEventListener("fullscreenchange", () => {
      full.title = full.lastChild.textContent = document.fullscreenElement ? words.salir : words.pantalla;
    });
  }
})();
