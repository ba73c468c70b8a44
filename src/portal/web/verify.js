// Checks files against the signed list of the corte, in the reader's own browser.
(() => {
  "use strict";
  // Files under way at once.
  var AT_ONCE = 4;
  // The one listed file that is published under another name.
  var ORIGINAL = "corte.json", ORIGINAL_AT = "/.prep/corte.original.json";
  var words = JSON.parse(document.getElementById("told").textContent).palabras;
  function byId(id) { return document.getElementById(id); }
  function say(text, values) {
    return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
  }
  function element(name, text) {
    var made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  document.querySelectorAll(".shell").forEach(code => {
    code.textContent = code.textContent.split(words.sitio).join(location.origin);
  });

  function digest(bytes) {
    return crypto.subtle.digest("SHA-256", bytes).then(hash => {
      return Array.from(new Uint8Array(hash), b => (b + 256).toString(16).slice(1)).join("");
    });
  }

  // {list: Map of path to digest, corte}; throws words for the reader.
  function read() {
    return fetch("/.prep/SHA256SUMS", { cache: "no-cache" }).then(r => {
      if (!r.ok) throw new Error(r.status === 503 || r.status === 404 ? words.sin_resultados : words.sin_lista);
      var corte = r.headers.get("corte");
      return r.text().then(text => {
        var list = new Map();
        text.split("\n").forEach(line => {
          var m = /^([0-9a-f]{64}) [ *](.+)$/i.exec(line);
          if (m) list.set(m[2], m[1].toLowerCase());
        });
        if (!list.size) throw new Error(words.sin_lista);
        about(list, corte, r.headers.get("corte-fecha-hora"));
        return { list: list, corte: corte };
      });
    }, () => { throw new Error(words.sin_lista); });
  }

  var told;
  // Which corte the list is of, and who vouches for it: said anew when it is another one.
  function about(list, corte, stamp) {
    if (told === corte) return;
    told = corte;
    var options = byId("paths");
    options.textContent = "";
    list.forEach((_, path) => {
      var option = element("option");
      option.value = address(path);
      options.append(option);
    });
    fetch("/.prep/estado.json", { cache: "no-cache" }).then(r => r.json()).then(s => {
      var time = element("time", s.corte === corte ? s.texto : stamp);
      time.dateTime = stamp || "";
      if (stamp) byId("corte").replaceChildren(element("span", words.corte), " ", time);
    }).catch(() => {});
    fetch("/.prep/corte.json", { cache: "no-cache" }).then(r => r.json()).then(c => {
      var text = { signed: words.firmada, checksums: words.sin_firma, transport: words.sin_lista_propia }[c.confianza];
      byId("trust").textContent = text ? say(text, { firmante: c.firmante }) : "";
      byId("trust").hidden = !text;
    }).catch(() => {});
  }

  // Where a listed file is served: `sitio/a b/index.html` is `/a%20b/`.
  function address(path) {
    if (path === ORIGINAL) return ORIGINAL_AT;
    var at = "/" + path.replace(/^sitio\//, "").split("/").map(encodeURIComponent).join("/");
    return at.replace(/(^|\/)index\.html$/, "$1");
  }

  // The listed path of what a reader typed: an address of this site, whole or from its `/` on, or a path of the list.
  function listed(typed, list) {
    if (list.has(typed)) return typed;
    var path;
    try {
      var url = new URL(typed, location.origin + "/");
      path = url.origin === location.origin ? decodeURIComponent(url.pathname) : null;
    } catch (e) { return null; }
    if (path === ORIGINAL_AT) return ORIGINAL;
    if (path === null) return null;
    path = "sitio" + path;
    return [path, path + "index.html", path + "/index.html"].find(p => list.has(p)) || null;
  }

  // {path, wanted, got}; `other` when it came from another corte than the list. Throws when it does not come.
  function compare(from, path) {
    return fetch(address(path), { cache: "no-cache" }).then(r => {
      if (!r.ok) throw new Error(words.sin_archivo);
      if (r.headers.get("corte") !== from.corte) return { other: true };
      return r.arrayBuffer().then(digest).then(got => {
        return { path: path, wanted: from.list.get(path), got: got };
      });
    }, () => { throw new Error(words.sin_archivo); });
  }

  function verdict(into, isGood, title, text, rows) {
    var box = element("div");
    box.className = "verdict " + (isGood ? "is-good" : "is-bad");
    box.append(element("b", (isGood ? "✓ " : "✗ ") + title), element("p", text));
    if (rows) {
      var list = element("dl");
      rows.forEach(row => { list.append(element("dt", row[0]), element("dd", row[1])); });
      box.append(list);
    }
    into.replaceChildren(box);
    return box;
  }
  function fail(into) {
    return e => { verdict(into, false, words.falla, e.message); };
  }
  function digests(path, wanted, got) {
    return [[words.archivo, path], [words.lista, wanted], [words.calculada, got]];
  }

  // One file of this site. Should a new corte come between list and file, both are asked for once more.
  function one(typed, again) {
    var into = byId("one-result");
    return read().then(from => {
      var path = listed(typed, from.list);
      if (!path) return verdict(into, false, words.ajeno, words.ajeno_texto, [[words.archivo, typed]]);
      return compare(from, path).then(r => {
        if (r.other && again) return one(typed, false);
        if (r.other) throw new Error(words.otro_corte);
        var same = r.got === r.wanted;
        return verdict(into, same, same ? words.igual : words.distinto, same ? words.igual_texto : words.distinto_texto, digests(path, r.wanted, r.got));
      });
    }).catch(fail(into));
  }

  byId("one").addEventListener("submit", event => {
    event.preventDefault();
    var button = event.target.querySelector("button");
    button.disabled = true;
    byId("one-result").textContent = words.calculando;
    one(byId("path").value.trim() || "/", true).then(() => { button.disabled = false; });
  });

  // All files, a few at a time.
  var stopped = false;
  function all() {
    var into = byId("all-result"), bar = byId("bar"), bad = [], done = 0;
    return read().then(from => {
      var queue = Array.from(from.list.keys()), total = queue.length;
      bar.max = total;
      bar.value = 0;
      byId("progress").hidden = false;
      function next() {
        var path = stopped ? undefined : queue.shift();
        if (path === undefined) return undefined;
        return compare(from, path).then(r => {
          if (r.other) { stopped = true; throw new Error(words.otro_corte); }
          return r.got === r.wanted;
        }, () => false).then(same => {
          if (!same) bad.push(path);
          bar.value = ++done;
          byId("done").textContent = say(words.avance, { n: done, total: total });
          return next();
        });
      }
      return Promise.all(Array.from({ length: AT_ONCE }, next)).then(() => {
        var values = { n: done, total: total, mal: bad.length };
        if (done < total) return verdict(into, false, words.falla, say(words.detenido, values));
        if (!bad.length) return verdict(into, true, words.igual, say(words.todos_bien, values));
        var list = element("ul");
        bad.forEach(path => { list.append(element("li", path)); });
        return verdict(into, false, words.distinto, say(words.todos_mal, values)).append(list);
      });
    }).catch(fail(into));
  }

  byId("all").addEventListener("click", () => {
    stopped = false;
    byId("all").disabled = true;
    byId("stop").hidden = false;
    byId("all-result").textContent = words.calculando;
    all().then(() => {
      byId("all").disabled = false;
      byId("stop").hidden = true;
    });
  });
  byId("stop").addEventListener("click", () => { stopped = true; });

  // A file of the reader's own: by its digest, then by its name.
  function own(file) {
    var into = byId("own-result");
    into.textContent = words.calculando;
    Promise.all([read(), file.arrayBuffer().then(digest)]).then(both => {
      var list = both[0].list, got = both[1], paths = Array.from(list.keys());
      var same = paths.find(path => list.get(path) === got);
      if (same) return verdict(into, true, words.igual, words.igual_suyo, digests(same, got, got));
      var named = paths.find(path => path.split("/").pop() === file.name);
      if (named) return verdict(into, false, words.distinto, words.distinto_suyo, digests(named, list.get(named), got));
      return verdict(into, false, words.ajeno, words.ajeno_suyo, [[words.archivo, file.name], [words.calculada, got]]);
    }).catch(fail(into));
  }
  byId("file").addEventListener("change", event => {
    if (event.target.files[0]) own(event.target.files[0]);
  });
  var drop = byId("drop");
  ["dragover", "dragleave", "drop"].forEach(kind => {
    drop.addEventListener(kind, event => {
      event.preventDefault();
      drop.classList.toggle("is-over", kind === "dragover");
      if (kind === "drop" && event.dataTransfer.files[0]) own(event.dataTransfer.files[0]);
    });
  });

  if (!window.isSecureContext || !window.crypto || !crypto.subtle) {
    byId("fault").textContent = words.inseguro;
    byId("fault").hidden = false;
    return;
  }
  byId("tools").hidden = false;
  read().catch(e => {
    byId("fault").textContent = e.message;
    byId("fault").hidden = false;
  });
})();
