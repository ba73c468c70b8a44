// The whole state on one page: the count, the votes, the seats, and a card for each district.

import { h, s } from './dom.js';
import { fechaLarga, numero, plural, porcentaje } from './formato.js';
import { VENTAJA_CORTA, hemiciclo, muestra } from './hemiciclo.js';

export function inicio(estado) {
  const { eleccion, resultados } = estado;
  return h('div', { class: 'ancho', 'data-clave': 'inicio' },
    h('div', { class: 'entrada' },
      h('p', { class: 'antetitulo' }, 'Resultados electorales preliminares'),
      h('h1', { tabindex: '-1' }, eleccion.nombre),
      h('p', { class: 'sumario' }, sumario(estado))),
    medidas(resultados.total, resultados.final),
    h('div', { class: 'dos' },
      h('section', { 'aria-labelledby': 't-votos' },
        h('h2', { id: 't-votos' }, 'Votos por partido o coalición'),
        barras(resultados.votos, resultados.total.total_votos, estado.porClave)),
      h('section', { 'aria-labelledby': 't-curules' },
        h('h2', { id: 't-curules' }, `Quién va adelante en los ${resultados.distritos.length} distritos`),
        hemiciclo(estado),
        h('p', { class: 'nota' }, `Diputaciones de mayoría relativa. El número es el del distrito; un círculo sin relleno es una ventaja menor de ${VENTAJA_CORTA} puntos.`))),
    h('section', { 'aria-labelledby': 't-distritos', class: 'distritos' },
      h('div', { class: 'encabezado' },
        h('h2', { id: 't-distritos' }, 'Distrito por distrito'), controles(estado)),
      tarjetas(estado)),
    descarga(estado));
}

/** One sentence, as a newspaper would open. */
function sumario({ resultados, porClave }) {
  const { total, distritos } = resultados;
  if (total.capturadas === 0) return 'Todavía no hay actas capturadas. Los primeros resultados aparecerán aquí por sí solos.';
  const adelante = resultados.votos.filter((v) => v.distritos > 0).sort((a, b) => b.distritos - a.distritos);
  const frases = adelante.slice(0, 3).map((v) => `${porClave.get(v.clave).siglas} en ${v.distritos}`);
  const otros = adelante.slice(3).reduce((n, v) => n + v.distritos, 0);
  const lista = [...frases, ...(otros ? [`otros en ${otros}`] : [])];
  const unida = lista.length > 1 ? `${lista.slice(0, -1).join(', ')} y ${lista.at(-1)}` : lista[0];
  const inicioFrase = `Con ${total.porcentaje_capturadas}\u00a0% de las actas capturadas`;
  if (!unida) return `${inicioFrase}, nadie va adelante todavía.`;
  return `${inicioFrase}, van adelante: ${unida} de los ${distritos.length} distritos.`;
}

/** Actas, participation, votes. */
export function medidas(m, esFinal) {
  const dato = (clave, rotulo, valor, ...resto) => h('div', { class: 'medida', 'data-clave': clave },
    h('dt', null, rotulo), h('dd', null, h('b', null, valor), resto));
  return h('dl', { class: 'medidas' },
    dato('actas', 'Actas capturadas', [m.porcentaje_capturadas, h('small', null, '\u00a0%')],
      avance(m),
      h('span', null, `${numero(m.capturadas)} de ${numero(m.esperadas)} esperadas`),
      h('span', null, `${numero(m.contabilizadas)} contabilizadas (${m.porcentaje_contabilizadas}\u00a0%)`)),
    dato('participacion', 'Participación ciudadana', m.contabilizadas ? [m.participacion, h('small', null, '\u00a0%')] : '—',
      h('span', null, `Lista nominal contabilizada: ${numero(m.lista_nominal_contabilizadas)}`),
      h('span', null, esFinal ? 'Incluye casillas especiales' : 'Sin casillas especiales, hasta el último corte')),
    dato('votos', 'Votos', m.contabilizadas ? numero(m.total_votos) : '—',
      h('span', null, m.inconsistencias ? `${plural(m.inconsistencias, 'acta', 'actas')} con inconsistencias (${m.porcentaje_inconsistencias}\u00a0%)` : 'Sin actas con inconsistencias'),
      h('span', null, m.no_contabilizadas ? `${plural(m.no_contabilizadas, 'acta', 'actas')} sin contabilizar` : 'Ninguna acta sin contabilizar')));
}

/** Counted in full colour, captured but not counted in a lighter one. */
function avance(m) {
  const ancho = (n) => ((100 * n) / Math.max(m.esperadas, 1)).toFixed(2);
  return s('svg', { class: 'avance', viewBox: '0 0 100 4', preserveAspectRatio: 'none', role: 'img', 'aria-label': `${m.porcentaje_capturadas} por ciento de las actas capturadas` },
    s('rect', { class: 'fondo', width: 100, height: 4 }),
    s('rect', { class: 'capturadas', width: ancho(m.capturadas), height: 4 }),
    s('rect', { class: 'contabilizadas', width: ancho(m.contabilizadas), height: 4 }));
}

const gana = (c) => c.tipo !== 'nulos' && c.tipo !== 'no_registradas';

/** Bars, most votes first; votes for nobody always last. `partes(clave)` may add a line under a coalition. */
export function barras(votos, total, porClave, partes) {
  const filas = votos.map((v, i) => ({ ...v, i, c: porClave.get(v.clave) }));
  filas.sort((a, b) => gana(b.c) - gana(a.c) || (gana(a.c) ? b.votos - a.votos : 0) || a.i - b.i);
  const todos = Math.max(total, 1);
  const escala = Math.max(40, (100 * Math.max(...filas.map((f) => f.votos))) / todos);
  return h('ol', { class: 'barras' }, filas.map(({ c, votos: n }) => h('li', { 'data-clave': c.clave, class: gana(c) ? '' : 'nadie' },
    h('div', { class: 'quien' }, muestra(c), gana(c) ? [h('b', null, c.siglas), c.tipo === 'partido' && c.nombre !== c.siglas && h('span', null, c.nombre)] : c.nombre),
    h('div', { class: 'cifras' }, h('span', null, numero(n)), ' ', h('b', null, `${porcentaje(n, total)}\u00a0%`)),
    barra(c, Math.min(100, (10000 * n) / todos / escala)),
    partes?.(c))));
}

/** Drawn only: the figures beside it say the same. */
const barra = (c, ancho) => s('svg', { class: 'barra', viewBox: '0 0 100 4', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
  s('rect', { class: 'fondo', width: 100, height: 4 }), s('rect', { width: ancho.toFixed(2), height: 4, fill: c.color }));

function controles({ busca, orden, eleccion }) {
  const conMunicipios = eleccion.municipios.length > 0;
  const opcion = (valor, texto) => h('option', { value: valor, selected: orden === valor }, texto);
  return h('div', { class: 'controles' },
    h('label', null, h('span', null, conMunicipios ? 'Busca tu municipio o sección' : 'Busca tu sección'),
      h('input', { type: 'search', id: 'busca', value: busca, autocomplete: 'off', placeholder: conMunicipios ? `Ej. ${eleccion.municipios.at(-1)} o 523` : 'Ej. 523', enterkeyhint: 'search' })),
    h('label', null, h('span', null, 'Ordena por'),
      h('select', { id: 'orden' }, opcion('numero', 'Número de distrito'), opcion('ventaja', 'Menor ventaja'), opcion('actas', 'Más actas capturadas'))));
}

const llano = (t) => t.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

function tarjetas(estado) {
  const { eleccion, resultados, busca, orden } = estado;
  const texto = llano(busca.trim());
  const seccion = /^\d+$/.test(texto) ? Number(texto) : null;
  const fichas = resultados.distritos.map((d) => ({ d, e: eleccion.distritos.find((e) => e.numero === d.numero) }));
  const coincide = ({ d, e }) => !texto || (seccion !== null ? d.numero === seccion || e.secciones.includes(seccion)
    : llano(e.cabecera).includes(texto) || e.municipios.some((m) => llano(eleccion.municipios[m]).includes(texto)));
  const criterios = {
    numero: () => 0,
    ventaja: (a, b) => !a.d.primero - !b.d.primero || a.d.ventaja_porcentaje - b.d.ventaja_porcentaje,
    actas: (a, b) => b.d.porcentaje_capturadas - a.d.porcentaje_capturadas,
  };
  const lista = fichas.filter(coincide).sort((a, b) => criterios[orden](a, b) || a.d.numero - b.d.numero);
  if (!lista.length) return h('p', { class: 'vacio' }, 'Ningún distrito coincide con la búsqueda.');
  return h('ul', { class: 'tarjetas' }, lista.map((f) => tarjeta(f, estado, f.e.secciones.includes(seccion) ? seccion : null)));
}

function tarjeta({ d, e }, { porClave, eleccion }, seccion) {
  const filas = e.contienden.map((clave, i) => ({ c: porClave.get(clave), votos: d.votos[i] }))
    .filter((f) => gana(f.c)).sort((a, b) => b.votos - a.votos).slice(0, 3);
  const lider = porClave.get(d.primero);
  const munis = e.municipios.map((m) => eleccion.municipios[m]);
  const destino = `#/distrito/${d.numero}${seccion ? `/seccion/${seccion}` : ''}`;
  return h('li', { class: 'tarjeta', 'data-clave': `t${d.numero}` },
    h('a', { href: destino },
      h('h3', null, e.cabecera ? [h('span', { class: 'numero' }, h('span', { class: 'oculto' }, 'Distrito '), d.numero), e.cabecera] : `Distrito ${d.numero}`),
      munis.join() !== e.cabecera && munis.length > 0 && h('p', { class: 'munis' }, munis.length > 3 ? `${munis.slice(0, 3).join(', ')} y ${munis.length - 3} más` : munis.join(', ')),
      d.total_votos === 0 ? h('p', { class: 'vacio' }, 'Sin datos aún')
        : [h('p', { class: 'ventaja' }, lider ? [h('b', null, lider.siglas), ' va adelante', h('span', null, `por ${d.ventaja_porcentaje} puntos (${plural(d.ventaja, 'voto', 'votos')})`)] : h('b', null, 'Empate en primer lugar')),
          h('ol', { class: 'mini' }, filas.map((f) => h('li', { 'data-clave': f.c.clave },
            h('span', null, muestra(f.c), f.c.siglas), h('span', null, `${porcentaje(f.votos, d.total_votos)}\u00a0%`),
            barra(f.c, Math.min(100, (200 * f.votos) / d.total_votos)))))],
      h('p', { class: 'actas' }, avance(d), `${numero(d.capturadas)} de ${numero(d.esperadas)} actas · ${d.porcentaje_capturadas}\u00a0%`),
      seccion && h('p', { class: 'ir' }, `Ver la sección ${seccion}`)));
}

export function descarga({ eleccion, resultados }) {
  return h('section', { class: 'descarga', 'aria-labelledby': 't-base' },
    h('div', null,
      h('h2', { id: 't-base' }, 'Base de datos'),
      h('p', null, `Todas las actas, casilla por casilla, al corte del ${fechaLarga(resultados.fecha_hora)}.`)),
    h('a', { class: 'boton', href: eleccion.base_de_datos, download: `${resultados.corte}_PREP_${eleccion.abreviatura}.zip` }, 'Descargar ZIP'));
}
