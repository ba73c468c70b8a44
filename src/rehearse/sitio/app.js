// Where everything meets: the address, the polling, the one state, and the two views.

import { leerCorte, leerEleccion, leerJuntos, nombreDistrito } from './js/datos.js';
import { distrito } from './js/distrito.js';
import { h, morph } from './js/dom.js';
import { fecha, hora } from './js/formato.js';
import { inicio } from './js/inicio.js';

const CONSULTA_MAX_S = 60;
const $ = (id) => document.getElementById(id);

const estado = {
  eleccion: null, porClave: new Map(), resultados: null,
  detalle: null, casillas: null,
  busca: '', orden: 'numero', filtro: '', abiertas: new Set(),
};
let vuelta = 0;
let espera = 5;
let fallos = 0;
let reloj = 0;

/** `#/`, `#/distrito/5`, `#/distrito/5/seccion/523` */
function direccion() {
  const [, d, x] = location.hash.match(/^#\/distrito\/(\d+)(?:\/seccion\/(\d+))?$/) ?? [];
  return { numero: d ? Number(d) : null, seccion: x ? Number(x) : null };
}

/** Reads all that the present view needs, of one corte, and only then shows it. */
async function cargar() {
  const esta = (vuelta += 1);
  estado.eleccion ??= await leerEleccion();
  const { numero } = direccion();
  const existe = estado.eleccion.distritos.some((d) => d.numero === numero);
  const nombre = existe ? nombreDistrito(numero) : null;
  const conCasillas = nombre && estado.abiertas.size > 0;
  const [resultados, detalle = null, casillas = null] = await leerJuntos(
    ['resultados', nombre, conCasillas && `${nombre}_casillas`].filter(Boolean));
  if (esta !== vuelta) return;
  if (resultados.eleccion !== estado.eleccion.eleccion) estado.eleccion = await leerEleccion();
  if (esta !== vuelta) return;
  const nuevo = estado.resultados && estado.resultados.corte !== resultados.corte;
  // The word joiner keeps `PRI–UDC` on one line.
  estado.porClave = new Map(estado.eleccion.contendientes.map((c) => [c.clave, { ...c, siglas: c.siglas.replaceAll('–', '–\u2060') }]));
  Object.assign(estado, { resultados, detalle, casillas: casillas?.casillas ?? null });
  pintar();
  if (nuevo) $('voz').textContent = `Nuevo corte: ${hora(resultados.fecha_hora)}. ${resultados.total.porcentaje_capturadas} por ciento de las actas capturadas.`;
}

function pintar() {
  const { resultados, eleccion, detalle } = estado;
  if (!resultados) return;
  const [dia, resto] = fecha(resultados.fecha_hora);
  morph($('corte'), h('time', { id: 'corte', datetime: resultados.fecha_hora }, h('span', { class: 'dia' }, dia), resto));
  $('corte-rotulo').textContent = resultados.final ? 'Último corte' : 'Corte';
  const donde = detalle ? `Distrito ${detalle.distrito} · ` : '';
  document.title = `${hora(resultados.fecha_hora)} · ${donde}PREP ${eleccion.entidad} ${eleccion.anio} · SIMULACRO`;
  const vista = h('div', { id: 'vista' }, detalle ? distrito(estado) : inicio(estado));
  morph($('vista'), vista);
}

function avisar(texto) {
  $('estado').hidden = !texto;
  if ($('estado').textContent !== texto) $('estado').textContent = texto;
}

async function intentar(tarea) {
  try {
    await tarea();
    fallos = 0;
    avisar('');
  } catch (falla) {
    fallos += 1;
    console.warn(falla);
    const visto = estado.resultados ? ` Se muestra el corte de las ${hora(estado.resultados.fecha_hora)}.` : '';
    if (fallos > 1 || !estado.resultados) avisar(`No hay conexión con el servidor.${visto} Se intentará de nuevo.`);
  }
}

/** Asks for the small file; a new corte there brings all the rest. */
async function consultar() {
  const corte = await leerCorte();
  espera = corte.siguiente_consulta_s ?? espera;
  if (corte.corte !== estado.resultados?.corte) await cargar();
}

function programar() {
  clearTimeout(reloj);
  // Spread out, so that a whole state does not ask in the same second; slower while it fails.
  const segundos = Math.min(CONSULTA_MAX_S, espera * 2 ** Math.min(fallos, 4)) * (0.85 + 0.3 * Math.random());
  reloj = setTimeout(async () => {
    if (!document.hidden) await intentar(consultar);
    programar();
  }, segundos * 1000);
}

async function navegar() {
  const { numero, seccion } = direccion();
  const cambia = (estado.detalle?.distrito ?? null) !== numero;
  if (cambia) Object.assign(estado, { filtro: '', abiertas: new Set() });
  if (seccion) Object.assign(estado, { filtro: String(seccion), abiertas: new Set([seccion]) });
  await intentar(cargar);
  if (cambia && !seccion) scrollTo(0, 0);
  if (cambia) document.querySelector('#vista h1')?.focus({ preventScroll: true });
  if (seccion) $(`s${seccion}`)?.scrollIntoView({ block: 'center' });
}

addEventListener('hashchange', navegar);
document.addEventListener('visibilitychange', () => {
  if (!document.hidden) intentar(consultar);
});
document.addEventListener('input', ({ target }) => {
  if (target.id === 'busca') estado.busca = target.value;
  else if (target.id === 'orden') estado.orden = target.value;
  else if (target.id === 'filtro') estado.filtro = target.value.replace(/\D/g, '').replace(/^0+/, '');
  else return;
  pintar();
});
document.addEventListener('click', (suceso) => {
  const { target } = suceso;
  if (target.matches?.('.salto')) {
    // The address is the view's; the jump must not change it.
    suceso.preventDefault();
    $('contenido').focus();
  }
  const boton = target.closest?.('button[data-seccion]');
  if (!boton) return;
  const seccion = Number(boton.dataset.seccion);
  if (!estado.abiertas.delete(seccion)) estado.abiertas.add(seccion);
  pintar();
  if (estado.abiertas.has(seccion) && !estado.casillas) intentar(cargar);
});

await navegar();
programar();
