//! What the scripts of our pages say, handed to them as JSON.

use serde_json::{Value, json};

pub fn for_notice() -> Value {
    json!({ "cuenta": ["d", "h", "min", "s"] })
}

pub fn for_embed() -> Value {
    json!({
        "resultados": super::RESULTS,
        "corte": super::CORTE_OF,
        "sin_corte": super::NO_CORTE,
        "nuevo": "Nuevo corte:",
        "sin_conexion": "Sin conexión: puede haber un corte más reciente",
        "pantalla": super::FULL_SCREEN,
        "salir": "Salir de pantalla completa",
    })
}

pub fn for_verify() -> Value {
    json!({
        "sitio": super::SITE,
        "inseguro": "Su navegador sólo calcula huellas digitales en páginas abiertas con https://. Ábrala así, o compruebe \
                     los archivos en su computadora como se explica abajo.",
        "sin_lista": "No se pudo descargar la lista de huellas de este corte. Intente de nuevo en unos momentos.",
        "sin_resultados": "En este momento no se publican resultados, así que no hay archivos que comprobar.",
        "sin_archivo": "No se pudo descargar el archivo. Revise la dirección e intente de nuevo.",
        "calculando": "Comprobando…",
        "igual": "Idéntico, byte por byte",
        "igual_texto": "El archivo que recibió su navegador es el de la lista de este corte.",
        "igual_suyo": "Su archivo es el de la lista de este corte:",
        "distinto": "Diferente",
        "distinto_texto": "El archivo que recibió su navegador no es el de la lista de este corte.",
        "distinto_suyo": "En la lista hay un archivo con ese nombre, pero el suyo no es igual. Puede ser de otro corte.",
        "ajeno": "No está en la lista",
        "ajeno_texto": "Ningún archivo de la lista de este corte tiene esa dirección.",
        "ajeno_suyo": "Ningún archivo de la lista de este corte es igual al suyo. Puede ser de otro corte.",
        "falla": "No se pudo comprobar",
        "archivo": "Archivo",
        "lista": "Huella en la lista",
        "calculada": "Huella calculada aquí",
        "avance": "{n} de {total} archivos",
        "todos_bien": "Los {total} archivos son idénticos, byte por byte, a los de la lista de este corte.",
        "todos_mal": "{mal} de {total} archivos no pudieron comprobarse o son diferentes:",
        "detenido": "Se detuvo después de {n} de {total} archivos; {mal} con diferencias.",
        "otro_corte": "Llegó un corte nuevo durante la comprobación. Comience de nuevo.",
        "firmada": "La lista de este corte está firmada por «{firmante}».",
        "sin_firma": "Este corte llegó con su lista, pero sin firma: la lista es la que envió la autoridad por un medio \
                      acordado con ella.",
        "sin_lista_propia": "Este corte llegó sin lista de la autoridad: la hizo este difusor al recibirlo. La comprobación \
                             dice que usted ve lo que el difusor recibió.",
        "corte": super::CORTE_OF,
    })
}
