// The half circle of seats. The layout depends on the number of seats alone, so a seat never jumps by chance.

import { h, s } from './dom.js';
import { plural, tinta } from './formato.js';

const ANCHO = 400;
/** A lead below this many percentage points is drawn as a ring. */
export const VENTAJA_CORTA = 2;

/** Places from left to right, `{x, y}`, and the radius of a seat. */
function asientos(n) {
  const filas = n <= 9 ? 1 : n <= 24 ? 2 : n <= 60 ? 3 : n <= 120 ? 5 : 8;
  const radios = Array.from({ length: filas }, (_, i) => 172 - i * (filas > 3 ? 110 / filas : 62));
  const suma = radios.reduce((a, r) => a + r, 0);
  const cupos = radios.map((r) => Math.floor((n * r) / suma));
  for (let i = 0; cupos.reduce((a, c) => a + c, 0) < n; i = (i + 1) % filas) cupos[i] += 1;
  const paso = Math.min(...radios.map((r, i) => (Math.PI * r) / Math.max(cupos[i], 2)));
  const radio = Math.min(23, paso * 0.45, filas > 1 ? (radios[0] - radios[1]) * 0.45 : 23);
  const lugares = radios.flatMap((r, i) => Array.from({ length: cupos[i] }, (_, k) => {
    const angulo = cupos[i] === 1 ? Math.PI / 2 : Math.PI - (k * Math.PI) / (cupos[i] - 1);
    return { angulo, r, x: ANCHO / 2 + r * Math.cos(angulo), y: 198 - r * Math.sin(angulo) };
  }));
  lugares.sort((a, b) => b.angulo - a.angulo || a.r - b.r);
  return { lugares, radio };
}

export function hemiciclo({ eleccion, resultados, porClave }) {
  const orden = new Map(eleccion.contendientes.map((c, i) => [c.clave, i]));
  const lugar = (d) => orden.get(d.primero) ?? (d.empate ? 900 : 901);
  const ocupan = [...resultados.distritos].sort((a, b) => lugar(a) - lugar(b) || a.numero - b.numero);
  const { lugares, radio } = asientos(ocupan.length);
  const dibujo = ocupan.map((d, i) => asiento(d, lugares[i], radio, porClave, eleccion));
  const alto = Math.ceil(198 + radio + 4);
  return [
    s('svg', { class: 'hemiciclo', viewBox: `0 0 ${ANCHO} ${alto}`, role: 'group', 'aria-label': 'Un círculo por distrito; la lista que sigue dice lo mismo' }, dibujo),
    leyenda(ocupan, porClave),
  ];
}

function asiento(d, { x, y }, radio, porClave, eleccion) {
  const c = porClave.get(d.primero);
  const corta = c && Number(d.ventaja_porcentaje) < VENTAJA_CORTA;
  const cabecera = eleccion.distritos.find((e) => e.numero === d.numero)?.cabecera;
  const quien = c ? `adelante ${c.siglas} por ${d.ventaja_porcentaje} puntos` : d.empate ? 'empate' : 'sin datos';
  const clase = c ? (corta ? 'corta' : 'llena') : 'vacia';
  return s('a', { href: `#/distrito/${d.numero}`, class: `asiento ${clase}`, 'data-clave': `d${d.numero}`, 'aria-label': `Distrito ${d.numero}${cabecera ? `, ${cabecera}` : ''}: ${quien}` },
    s('circle', { cx: x.toFixed(1), cy: y.toFixed(1), r: (corta ? radio - 2 : radio).toFixed(1), fill: c && !corta ? c.color : 'transparent', stroke: c?.color ?? 'currentColor' }),
    radio > 9 && s('text', { x: x.toFixed(1), y: (y + radio * 0.27).toFixed(1), 'font-size': (radio * 0.78).toFixed(1), fill: c && !corta ? tinta(c.color) : 'currentColor' }, d.numero));
}

/** The same in words: who leads where. */
function leyenda(ocupan, porClave) {
  const grupos = new Map();
  for (const d of ocupan) {
    const nombre = d.primero ?? (d.empate ? 'empate' : '');
    grupos.set(nombre, [...(grupos.get(nombre) ?? []), d.numero]);
  }
  const renglones = [...grupos].map(([clave, numeros]) => {
    const c = porClave.get(clave);
    const nombre = c?.siglas ?? (clave === 'empate' ? 'Empate' : 'Sin datos aún');
    const cuales = numeros.length > 20 ? '' : numeros.join(', ');
    return h('li', { 'data-clave': `g-${clave}` },
      muestra(c), h('b', null, nombre), ' ',
      h('span', { class: 'cuantos' }, plural(numeros.length, 'distrito', 'distritos')),
      h('span', { class: 'cuales' }, cuales));
  });
  return h('ul', { class: 'leyenda' }, renglones);
}

/** The little square of a party's colour; an empty one where nobody leads. */
export const muestra = (c) => s('svg', { class: 'muestra', viewBox: '0 0 12 12', 'aria-hidden': 'true' },
  s('rect', { x: 1, y: 1, width: 10, height: 10, rx: 2, fill: c?.color ?? 'none', stroke: c?.color ?? 'currentColor' }));
