// Reads the JSON. Never hands out files of two cortes together.

const INTENTOS = 6;
const LIMITE_MS = 15_000;

const pausa = (ms) => new Promise((listo) => setTimeout(listo, ms));

async function leer(ruta) {
  const respuesta = await fetch(ruta, { cache: 'no-cache', signal: AbortSignal.timeout(LIMITE_MS) });
  if (!respuesta.ok) throw new Error(`${ruta}: ${respuesta.status}`);
  return respuesta.json();
}

/** The one small file that is asked for again and again. */
export const leerCorte = () => leer('datos/corte.json');

/** What stays the same all night. */
export const leerEleccion = () => leer('datos/eleccion.json');

/** These files, all of one and the same corte: a swap in between means reading again. */
export async function leerJuntos(nombres) {
  for (let intento = 0; intento < INTENTOS; intento += 1) {
    if (intento > 0) await pausa(150 * 2 ** intento * (0.5 + Math.random()));
    const todos = await Promise.all(nombres.map((n) => leer(`datos/${n}.json`)));
    const [primero] = todos;
    if (todos.every((d) => d.corte === primero.corte && d.eleccion === primero.eleccion)) return todos;
  }
  throw new Error('los archivos son de cortes distintos');
}

export const nombreDistrito = (n) => `distrito_${String(n).padStart(2, '0')}`;
