//! What the page says on which readers check the results in their own browser.

/// The fixed texts of the page.
pub struct Verify {
    pub title: &'static str,
    pub lead: &'static str,
    pub caveat: &'static str,
    pub one: &'static str,
    pub one_label: &'static str,
    pub one_hint: &'static str,
    pub check: &'static str,
    pub all: &'static str,
    pub all_text: &'static str,
    pub check_all: &'static str,
    pub stop: &'static str,
    pub progress: &'static str,
    pub own: &'static str,
    pub own_text: &'static str,
    pub own_label: &'static str,
    pub signature: &'static str,
    pub signature_text: &'static str,
    pub key_text: &'static str,
    pub then_text: &'static str,
    pub no_script: &'static str,
}

pub const VERIFY: Verify = Verify {
    title: "Compruebe los resultados",
    lead: "Con cada corte llega una lista con la huella digital (SHA-256) de cada archivo de los resultados. Su propio \
           navegador descarga aquí la lista y los archivos, calcula las huellas y las compara: un solo dato cambiado \
           daría otra huella.",
    caveat: "Esta página también viene de este sitio. Para no depender de ella, compruebe la firma de la lista en su \
             computadora, como se explica abajo.",
    one: "Un archivo de este sitio",
    one_label: "Dirección de la página o del archivo",
    one_hint: "«/» es la página principal.",
    check: "Comprobar",
    all: "Todos los archivos",
    all_text: "Descarga y comprueba uno por uno todos los archivos del corte.",
    check_all: "Comprobar todos",
    stop: "Detener",
    progress: "Avance de la comprobación",
    own: "Un archivo que usted tiene",
    own_text: "No sale de su computadora: sólo se calcula su huella. También puede arrastrarlo hasta aquí.",
    own_label: "Archivo de su computadora",
    signature: "La firma, en su computadora",
    signature_text: "La lista está en /.prep/SHA256SUMS y, si la autoridad firma, su firma está en /.prep/SHA256SUMS.sig. \
                     Con la herramienta ssh-keygen, que traen Linux, macOS y Windows:",
    key_text: "El archivo «allowed_signers» contiene la llave pública de la autoridad electoral, y FIRMANTE es el nombre \
               que lleva ahí. Pídala a la autoridad misma, no a este sitio.",
    then_text: "Si responde «Good \"prep-corte\" signature», la lista es de la autoridad. Para comprobar después un \
                archivo, por ejemplo la página principal, compare su huella con la de «sitio/index.html» en la lista:",
    no_script: "Para comprobar aquí los archivos hace falta JavaScript. Sin él, use las herramientas que se explican abajo.",
};
