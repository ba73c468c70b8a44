//! The one table of incidents: their codes, how bad they are, and what they are called in Spanish. What went wrong in
//! detail comes from whoever saw it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know; nothing has to be done.
    Aviso,
    /// Somebody should look at it; what is published is in order.
    Advertencia,
    /// Somebody has to act now.
    Critico,
}

impl Severity {
    pub const ALL: [Severity; 3] = [Severity::Aviso, Severity::Advertencia, Severity::Critico];

    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Aviso => "aviso",
            Severity::Advertencia => "advertencia",
            Severity::Critico => "critico",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One row: a code, or by its letter alone all codes of a family that have no row of their own.
#[derive(Debug)]
pub struct Kind {
    pub code: &'static str,
    pub severity: Severity,
    /// For operators, without a full stop.
    pub sentence: &'static str,
}

const fn aviso(code: &'static str, sentence: &'static str) -> Kind {
    Kind { code, severity: Severity::Aviso, sentence }
}

const fn advertencia(code: &'static str, sentence: &'static str) -> Kind {
    Kind { code, severity: Severity::Advertencia, sentence }
}

const fn critico(code: &'static str, sentence: &'static str) -> Kind {
    Kind { code, severity: Severity::Critico, sentence }
}

/// In the order of their codes, each family's row before its codes. The last row is for what has none.
pub static TABLE: &[Kind] = &[
    aviso("A", "Alguien actuó sobre el servicio"),
    advertencia("A001", "Se regresó a un corte anterior, a petición de un operador"),
    advertencia("A002", "Se detuvo la publicación de cortes nuevos, a petición de un operador"),
    aviso("A003", "Se reanudó la publicación de cortes nuevos, a petición de un operador"),
    aviso("A004", "No se pudo hacer lo que pidió un operador"),
    aviso("A005", "Un operador declaró final el corte publicado"),
    advertencia("A006", "Un operador reanudó la difusión del último corte sin que llegara otro"),
    aviso("A007", "Un operador vació lo que la caché guardaba de un origen"),
    advertencia("A011", "Alguien sin autorización quiso entrar por la puerta de administración"),
    aviso("A012", "Un envío por HTTPS se quedó a medias o no se admitió"),
    critico("A013", "No hay lugar en el disco para recibir un paquete"),
    advertencia("A014", "La lista de contraseñas de envío está mal hecha; sigue en uso la anterior"),
    advertencia("C", "El reloj de esta máquina no es confiable"),
    advertencia("C001", "Nadie mantiene en hora el reloj de esta máquina (NTP); la apertura depende de él"),
    critico("C002", "El reloj de esta máquina saltó; se sigue con la hora de antes hasta que el servicio se reinicie"),
    advertencia("C003", "El reloj de esta máquina se puso en hora, y el servicio lo siguió"),
    aviso("C004", "El reloj de esta máquina vuelve a estar en orden"),
    aviso("E", "Cambió lo que ve el público"),
    aviso("E001", "Abrió la difusión de resultados"),
    critico("E002", "La transmisión se considera interrumpida: el público ve un aviso en lugar de resultados"),
    aviso("E003", "Terminó la interrupción: el público vuelve a ver resultados"),
    advertencia("E004", "El siguiente corte está atrasado"),
    aviso("E005", "El corte publicado es el último: ya no se esperan más"),
    aviso("E006", "Cerró la ventana de difusión"),
    aviso("E007", "Comenzó la cuenta regresiva para la siguiente ventana"),
    critico("F", "El programa falló"),
    critico("F001", "El programa falló a la mitad de algo; lo demás sigue"),
    aviso("L", "Cambió lo que se ofrece según la demanda"),
    advertencia("L001", "Se pide más de lo que se puede enviar: lo menos importante se deja para después"),
    aviso("L002", "Hay más calma: se vuelve a ofrecer parte de lo que se dejó para después"),
    aviso("L003", "Hay calma: se vuelve a ofrecer todo"),
    advertencia("P", "Se rechazó un paquete; sigue publicado el corte anterior"),
    advertencia("P001", "No se pudo leer un paquete o una parte de él"),
    aviso("P002", "Llegó algo que no tiene forma de paquete"),
    advertencia("P003", "El archivo del paquete está roto o cortado"),
    advertencia("P004", "El paquete trae una liga, un dispositivo u otra cosa que no es archivo"),
    advertencia("P011", "El paquete completo pasa del tamaño permitido"),
    advertencia("P012", "El paquete trae demasiados archivos y carpetas"),
    advertencia("P013", "Un archivo del paquete pasa del tamaño permitido"),
    critico("P014", "El paquete se expande como una bomba"),
    advertencia("P015", "Los datos del paquete o su firma son demasiado grandes"),
    advertencia("P016", "Una ruta del paquete es demasiado larga"),
    advertencia("P021", "Una ruta del paquete no está en UTF-8"),
    critico("P022", "El paquete quiere escribir fuera de su carpeta, con una ruta absoluta"),
    critico("P023", "El paquete quiere escribir fuera de su carpeta, con `..`"),
    advertencia("P024", "Una ruta del paquete trae un tramo vacío"),
    advertencia("P025", "Una ruta del paquete trae un tramo `.`"),
    advertencia("P026", "Una ruta del paquete trae una diagonal invertida"),
    advertencia("P027", "Una ruta del paquete trae un carácter de control"),
    advertencia("P028", "Una ruta aparece dos veces en el paquete"),
    advertencia("P029", "Dos rutas del paquete difieren sólo en mayúsculas y minúsculas"),
    advertencia("P030", "Dos rutas del paquete difieren sólo en la forma de sus acentos"),
    advertencia("P031", "Un nombre es archivo y carpeta a la vez en el paquete"),
    advertencia("P041", "Al paquete le falta corte.json"),
    advertencia("P042", "El corte.json del paquete está mal hecho"),
    advertencia("P043", "Al paquete le falta SHA256SUMS"),
    advertencia("P044", "El SHA256SUMS del paquete está mal hecho"),
    advertencia("P045", "El SHA256SUMS del paquete nombra lo que no va en él"),
    advertencia("P046", "Al paquete le falta la firma"),
    advertencia("P047", "La firma del paquete no es una firma de OpenSSH"),
    critico("P051", "El paquete viene firmado con una llave desconocida"),
    advertencia("P052", "El paquete se firmó para otro uso"),
    critico("P053", "La llave que firmó el paquete no puede firmar cortes"),
    critico("P054", "La llave que firmó el paquete está fuera de sus fechas"),
    critico("P055", "El paquete lo firmó alguien distinto de quien se espera"),
    critico("P056", "La firma no corresponde al contenido del paquete"),
    advertencia("P061", "Al paquete le falta un archivo de su lista"),
    advertencia("P062", "Al paquete le sobra un archivo que no está en su lista"),
    advertencia("P063", "Un archivo del paquete llegó distinto o cortado"),
    advertencia("P071", "El paquete es de otra elección"),
    critico("P072", "El paquete es de simulacro y se espera lo oficial, o al revés"),
    advertencia("P073", "La clave del corte y su hora no coinciden"),
    advertencia("P074", "El corte viene del futuro: hay que revisar los relojes"),
    aviso("P081", "Llegó un corte que no es posterior al publicado"),
    critico("P082", "Llegó el corte publicado con otro contenido y sin número de revisión"),
    critico("P083", "El paquete viene vacío: quitaría los resultados"),
    critico("P084", "Un archivo contradice su tipo, como una página de error en lugar de datos"),
    advertencia("P085", "El paquete trae archivos donde el programa tiene los suyos"),
    critico("P086", "El programa falló al recibir un paquete; sigue publicado el corte anterior"),
    aviso("P087", "Llegó otra vez un corte que un operador retiró"),
    critico("P088", "El disco de la bóveda está casi lleno: no se reciben cortes"),
    critico("P089", "No se puede escribir en la bóveda: no se reciben cortes"),
    aviso("P090", "El sitio espejo cambió mientras se leía; se vuelve a leer"),
    critico("P091", "No se puede leer la carpeta donde llegan los paquetes"),
    advertencia("P092", "Llegó un corte de otra ventana: de otro simulacro, o de otro día"),
    advertencia("P101", "Falta el archivo que lleva la hora del corte"),
    advertencia("P102", "Demasiados archivos pueden llevar la hora del corte"),
    critico("P103", "El archivo que debe llevar la hora del corte no la trae"),
    critico("P104", "La hora del corte no está escrita como dice la regla"),
    advertencia("S", "Una fuente de paquetes falló"),
    advertencia("S001", "No hay conexión con una fuente de paquetes"),
    advertencia("S002", "El nombre de una fuente de paquetes no tiene dirección"),
    advertencia("S003", "Falló el cifrado TLS con una fuente de paquetes"),
    advertencia("S004", "Una fuente de paquetes tarda demasiado"),
    advertencia("S005", "Una fuente de paquetes contesta con un error"),
    critico("S006", "Lo que manda una fuente pasa del tamaño permitido"),
    advertencia("S007", "Se cortó la transferencia desde una fuente de paquetes"),
    advertencia("S008", "El JSON de una fuente no dice cuál es el paquete"),
    advertencia("S009", "Una fuente de paquetes redirige a donde no se puede ir"),
    critico("S010", "Una fuente de paquetes manda a otro servidor"),
    critico("S011", "Lo que llegó de una fuente no es lo que anunció"),
    advertencia("S012", "El proxy no lleva a una fuente de paquetes"),
    critico("S013", "No se puede guardar lo que llega de una fuente"),
    critico("S014", "El programa falló al pedir paquetes a una fuente"),
    aviso("S099", "Una fuente de paquetes volvió a funcionar"),
    advertencia("T", "Pasó algo con los certificados"),
    critico("T001", "Los certificados nuevos no sirven; siguen en uso los anteriores"),
    aviso("T002", "Se pusieron en uso certificados nuevos"),
    critico("V", "La bóveda de cortes en disco tiene un problema"),
    critico("V001", "Un corte de la bóveda está dañado; se publica el anterior"),
    critico("V002", "Algo de la bóveda no se puede leer"),
    critico("V003", "No se puede escribir en la bóveda"),
    advertencia("V004", "La bóveda estaba dañada y ya quedó reparada"),
    critico("V005", "La bóveda está dañada y no se pudo reparar; lo publicado está completo"),
    advertencia("", "Ocurrió algo fuera de lo normal"),
];

/// The row of a code: its own, else its family's, else the last.
pub fn kind(code: &str) -> &'static Kind {
    &TABLE[place(code)]
}

/// Where that row stands.
pub(super) fn place(code: &str) -> usize {
    let row = |code: &str| TABLE.iter().position(|row| row.code == code);
    let family = code.get(..1).unwrap_or_default();
    row(code).or_else(|| row(family)).unwrap_or(TABLE.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_code_has_a_row_and_each_row_its_own_sentence() {
        assert!(TABLE.is_sorted_by(|a, b| a.code < b.code || b.code.is_empty()));
        let codes: HashSet<_> = TABLE.iter().map(|row| row.code).collect();
        let sentences: HashSet<_> = TABLE.iter().map(|row| row.sentence).collect();
        assert_eq!((codes.len(), sentences.len()), (TABLE.len(), TABLE.len()));
        assert_eq!((kind("P063").code, kind("P999").code, kind("V012").code), ("P063", "P", "V"));
        assert_eq!((kind("").code, kind("ñ").code, kind("X1").code), ("", "", ""));
        for row in TABLE {
            assert!(!row.sentence.ends_with('.') && row.sentence.len() < 100, "{}", row.sentence);
        }
    }
}
