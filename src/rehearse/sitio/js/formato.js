// Numbers, percentages and dates as the PREP writes them.

const DIAS = ['domingo', 'lunes', 'martes', 'miércoles', 'jueves', 'viernes', 'sábado'];
const MESES = ['enero', 'febrero', 'marzo', 'abril', 'mayo', 'junio', 'julio', 'agosto', 'septiembre', 'octubre',
  'noviembre', 'diciembre'];

const miles = new Intl.NumberFormat('es-MX', { maximumFractionDigits: 0 });

export const numero = (n) => miles.format(n);

/** Four decimals, the fourth truncated. */
export function porcentaje(parte, todo) {
  const unidades = todo > 0 ? Math.floor((parte * 1e6) / todo) : 0;
  return `${Math.floor(unidades / 1e4)}.${String(unidades % 1e4).padStart(4, '0')}`;
}

export const plural = (n, uno, varios) => `${numero(n)} ${n === 1 ? uno : varios}`;

/** The authority's own local time, whatever the reader's clock and zone are. */
function partes(fechaHora) {
  const [fecha, resto] = fechaHora.split('T');
  const [a, m, d] = fecha.split('-').map(Number);
  return { a, m, d, dia: DIAS[new Date(Date.UTC(a, m - 1, d)).getUTCDay()], hora: resto.slice(0, 5) };
}

export const hora = (fechaHora) => `${partes(fechaHora).hora}\u00a0h`;

/** `['domingo ', '7 de junio de 2026, 20:10 h']`: where room is short the weekday goes first. */
export function fecha(fechaHora) {
  const { a, m, d, dia, hora: h } = partes(fechaHora);
  return [`${dia} `, `${d} de ${MESES[m - 1]} de ${a}, ${h}\u00a0h`];
}

export const fechaLarga = (fechaHora) => fecha(fechaHora).join('');

/** Black or white, whichever reads better on this colour: always 4.5:1 or more. */
export function tinta(color) {
  const [r, g, b] = [1, 3, 5].map((i) => {
    const c = parseInt(color.slice(i, i + 2), 16) / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.18 ? '#000' : '#fff';
}
