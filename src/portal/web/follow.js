// Shared by our pages: the election's clock, and when to ask for the state of transmission again.
"use strict";
// Milliseconds. An answer that takes longer counts as none.
var ASK_TIMEOUT = 10e3;
// Where nothing is awaited soon.
var IDLE = 60e3, COUNTDOWN = 300e3;
// While a corte is overdue; at the opening, from the first to the second.
var OVERDUE = 15e3, OPENING = 1e3;
// Cortes are asked for by all at once: spread over this much at most.
var SPREAD = 30e3;

// What the page was printed with: {estado, palabras}.
function printed() {
  return JSON.parse(document.getElementById("told").textContent);
}

// The election's time, in ms since 1970: NaN until the first answer.
var clock = { election: NaN, local: 0, pace: 1 };
function electionNow() {
  return clock.election + (Date.now() - clock.local) * clock.pace;
}

// The machine's `Date` is in whole seconds, and older by `Age` where a cache has kept it.
function setClock(state, date, age) {
  var r = state.reloj, at = Date.parse(date) + (Number(age) || 0) * 1e3 + 500;
  if (isNaN(at)) at = Date.now();
  clock = { election: Date.parse(r.eleccion) + (at - r.maquina_s * 1e3) * r.ritmo, local: Date.now(), pace: r.ritmo };
}

function ask() {
  var stop = new AbortController(), timer = setTimeout(() => { stop.abort(); }, ASK_TIMEOUT);
  return fetch("/.prep/estado.json", { cache: "no-cache", signal: stop.signal }).then(r => {
    if (!r.ok) throw new Error(r.status);
    return r.json().then(state => {
      clearTimeout(timer);
      setClock(state, r.headers.get("date"), r.headers.get("age"));
      return state;
    });
  }).catch(e => { clearTimeout(timer); throw e; });
}

// What must be the same for a notice to be the right one.
function mark(s) {
  return [s.eleccion, s.estado, s.resultados, s.corte, s.abre, s.desde, s.simulacro].join();
}

function around(ms) {
  return ms * (0.8 + 0.4 * Math.random());
}

// Milliseconds until it is worth asking again. `tries` in vain since it was due; `misses` without an answer.
function pause(state, tries, misses) {
  if (misses) return around(Math.min(IDLE, 2500 * Math.pow(2, misses)));
  var before = state.estado === "previo", awaited = before ? state.abre : state.siguiente;
  if (!awaited) return around(IDLE);
  var left = (Date.parse(awaited) - electionNow()) / clock.pace, period = state.intervalo_s * 1e3 / clock.pace;
  if (left > 0) return before ? Math.min(left + Math.random() * OPENING, around(COUNTDOWN)) : left + Math.random() * Math.min(SPREAD, period / 10);
  var overdue = Math.min(OVERDUE, period / 10);
  return around(before ? Math.min(overdue, OPENING * Math.pow(1.5, tries)) : overdue);
}

// Calls `heard(state)` with each answer and `failed(misses)` without one, as long as the page is in view.
function follow(state, heard, failed) {
  var timer, misses = 0, tries = 0, busy = false;
  function plan() {
    busy = false;
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(tick, Math.min(pause(state, tries, misses), 36e5));
  }
  function tick() {
    if (busy || document.hidden) return;
    busy = true;
    ask().then(next => {
      misses = 0;
      tries = electionNow() > Date.parse(next.abre) && next.estado === "previo" ? tries + 1 : 0;
      state = next;
      heard(next);
    }, () => { failed(++misses); }).then(plan, plan);
  }
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    tick();
  });
  addEventListener("online", tick);
  tick();
}
