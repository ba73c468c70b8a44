// One district: who stands, its municipalities, its sections, and the casillas of a section when asked for.

import { h } from './dom.js';
import { numero, plural, porcentaje } from './formato.js';
import { muestra } from './hemiciclo.js';
import { barras, descarga, medidas } from './inicio.js';

const ESTADOS = { por_capturar: 'Por capturar', contabilizada: 'Contabilizada', no_contabilizada: 'No contabilizada' };

export function distrito(estado) {
  const { eleccion, resultados, detalle, porClave } = estado;
  const n = detalle.distrito;
  const e = eleccion.distritos.find((d) => d.numero === n);
  const r = resultados.distritos.find((d) => d.numero === n);
  const varios = detalle.municipios.length > 1;
  const lider = porClave.get(r.primero);
  const segundo = porClave.get(r.segundo);
  const votos = e.contienden.map((clave, i) => ({ clave, votos: r.votos[i] }));
  return h('div', { class: 'ancho', 'data-clave': `distrito-${n}` },
    h('nav', { class: 'camino', 'aria-label': 'Distritos' },
      h('a', { href: '#/' }, '← Todos los distritos'),
      h('span', null, vecino(eleccion, n, -1), vecino(eleccion, n, 1))),
    h('div', { class: 'entrada' },
      h('p', { class: 'antetitulo' }, e.cabecera ? `Distrito ${n}` : eleccion.nombre),
      h('h1', { tabindex: '-1' }, e.cabecera || `Distrito ${n}`),
      h('p', { class: 'sumario' }, r.total_votos === 0 ? 'Todavía no hay votos contabilizados en este distrito.'
        : lider ? [`${lider.siglas} va adelante de ${segundo?.siglas ?? 'los demás'} por `, h('b', null, plural(r.ventaja, 'voto', 'votos')), ` (${r.ventaja_porcentaje} puntos).`]
          : 'Hay empate en primer lugar.')),
    medidas(r, resultados.final),
    h('div', { class: 'dos' },
      h('section', { 'aria-labelledby': 't-votos' },
        h('h2', { id: 't-votos' }, 'Votos por candidatura'),
        barras(votos, r.total_votos, porClave, (c) => desglose(c, detalle.columnas))),
      varios ? municipios(estado, e) : secciones(estado, e)),
    varios && secciones(estado, e),
    descarga(estado));
}

function vecino(eleccion, n, paso) {
  const i = eleccion.distritos.findIndex((d) => d.numero === n) + paso;
  const otro = eleccion.distritos[i];
  const texto = paso < 0 ? ['‹ ', otro?.numero] : [otro?.numero, ' ›'];
  return otro && h('a', { href: `#/distrito/${otro.numero}`, 'aria-label': `Distrito ${otro.numero}${otro.cabecera ? `, ${otro.cabecera}` : ''}` }, texto);
}

/** How a coalition's votes were marked: for each party, or for several at once. */
function desglose(c, columnas) {
  if (c.tipo !== 'coalicion') return null;
  const nombre = (k) => (k.startsWith('C_') ? `varios (${k.slice(2).split('_').join('–')})` : k);
  return h('p', { class: 'desglose' }, c.columnas.map((k) => `${nombre(k)} ${numero(columnas[k])}`).join(' · '));
}

const tabla = (titulos, filas) => h('table', null,
  h('thead', null, h('tr', null, titulos.map((t) => h('th', { scope: 'col' }, t)))), h('tbody', null, filas));

function primero(votos, contienden, porClave) {
  const filas = contienden.map((clave, i) => ({ c: porClave.get(clave), n: votos[i] }))
    .filter((f) => f.c.tipo !== 'nulos' && f.c.tipo !== 'no_registradas').sort((a, b) => b.n - a.n);
  if (!filas[0]?.n) return 'Sin datos';
  if (filas[0].n === filas[1]?.n) return 'Empate';
  return [muestra(filas[0].c), filas[0].c.siglas, ' ', h('small', null, `${porcentaje(filas[0].n, votos.reduce((a, v) => a + v, 0))}\u00a0%`)];
}

function fila(m, nombre, { porClave }, e, clave) {
  return h('tr', { 'data-clave': clave ?? `m-${nombre}` },
    h('th', { scope: 'row' }, nombre),
    h('td', null, `${numero(m.capturadas)} de ${numero(m.esperadas)}`),
    h('td', { class: 'texto' }, primero(m.votos, e.contienden, porClave)),
    h('td', null, m.contabilizadas ? numero(m.total_votos) : '—'));
}

function municipios(estado, e) {
  const { detalle, eleccion } = estado;
  return h('section', { 'aria-labelledby': 't-munis' },
    h('h2', { id: 't-munis' }, 'Por municipio'),
    h('div', { class: 'corredera', tabindex: '0', role: 'region', 'aria-labelledby': 't-munis' },
      tabla(['Municipio', 'Actas', 'Adelante', 'Votos'], detalle.municipios.map((m) => fila(m, eleccion.municipios[m.municipio], estado, e)))));
}

function secciones(estado, e) {
  const { detalle, abiertas, filtro } = estado;
  const lista = detalle.secciones.filter((x) => !filtro || String(x.seccion).startsWith(filtro));
  const filas = lista.flatMap((x) => {
    const abierta = abiertas.has(x.seccion);
    const boton = h('button', { type: 'button', 'data-seccion': x.seccion, id: `s${x.seccion}`, 'aria-expanded': String(abierta) }, String(x.seccion).padStart(4, '0'));
    return [fila(x, boton, estado, e, `s${x.seccion}`),
      abierta && h('tr', { 'data-clave': `c${x.seccion}`, class: 'casillas' }, h('td', { colspan: 4 }, casillas(estado, e, x)))];
  });
  return h('section', { class: 'secciones', 'aria-labelledby': 't-secciones' },
    h('div', { class: 'encabezado' },
      h('h2', { id: 't-secciones' }, 'Por sección'),
      h('div', { class: 'controles' }, h('label', null, h('span', null, 'Tu sección (está en tu credencial)'),
        h('input', { type: 'search', id: 'filtro', inputmode: 'numeric', value: filtro, autocomplete: 'off', placeholder: 'Ej. 523' })))),
    h('p', { class: 'nota' }, 'Toca una sección para ver sus casillas.'),
    filas.length ? h('div', { class: 'corredera alta', tabindex: '0', role: 'region', 'aria-labelledby': 't-secciones' }, tabla(['Sección', 'Actas', 'Adelante', 'Votos'], filas))
      : h('p', { class: 'vacio' }, 'Esa sección no es de este distrito.'));
}

function casillas({ casillas: leidas, porClave, eleccion }, e, x) {
  const donde = x.municipio == null ? '' : `${eleccion.municipios[x.municipio]} · `;
  const lista = leidas?.filter((c) => c.seccion === x.seccion);
  if (!lista) return h('p', { class: 'nota' }, 'Leyendo las casillas…');
  return [h('p', { class: 'nota' }, `${donde}Lista nominal: ${numero(x.lista_nominal)} · Participación: ${x.contabilizadas ? `${x.participacion}\u00a0%` : '—'}`),
    h('ul', { class: 'lista-casillas' }, lista.map((c) => h('li', { 'data-clave': c.casilla },
      h('p', null, h('b', null, nombreCasilla(c.casilla)), h('span', { class: `etiqueta ${c.estado}` }, ESTADOS[c.estado]),
        h('small', null, [c.ubicacion === 'urbana' ? 'urbana' : 'no urbana', `lista nominal ${numero(c.lista_nominal)}`, c.hora && `${c.hora} h`].filter(Boolean).join(' · '))),
      c.votos && h('p', { class: 'votos' }, e.contienden.map((clave, i) => h('span', null, muestra(porClave.get(clave)), `${porClave.get(clave).siglas} `, h('b', null, numero(c.votos[i]))))),
      c.observaciones && h('p', { class: 'nota' }, frase(c.observaciones)))))];
}

const NOMBRES = { B: 'Básica', C: 'Contigua', E: 'Extraordinaria', S: 'Especial' };

function nombreCasilla(clave) {
  const [, tipo, n, contigua] = clave.match(/^(\D)(\d+)(?:C(\d+))?$/) ?? [];
  if (!NOMBRES[tipo]) return clave;
  return `${NOMBRES[tipo]}${tipo === 'B' ? '' : ` ${n}`}${contigua ? ` contigua ${contigua}` : ''}`;
}

const frase = (t) => `${t[0]}${t.slice(1).toLowerCase()}.`;
