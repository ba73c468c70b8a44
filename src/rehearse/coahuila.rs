//! Coahuila, as tables: municipalities, districts with their cabeceras, and who stands.
//!
//! Cabeceras and municipalities are real. Which municipality lies in which district is right for the cities
//! and plausible for the rest; the shares of a divided municipality are round figures.

/// Name, inhabitants (2020, rounded: the weight for casillas and lista nominal), share of urban sections in percent.
/// In the order of INEGI's keys: entry 0 is municipality 001.
pub(super) const MUNICIPIOS: [(&str, u32, u32); 38] = [
    ("Abasolo", 1_000, 0),
    ("Acuña", 163_000, 94),
    ("Allende", 24_000, 85),
    ("Arteaga", 29_000, 45),
    ("Candela", 1_600, 0),
    ("Castaños", 29_000, 80),
    ("Cuatro Ciénegas", 13_000, 65),
    ("Escobedo", 3_100, 0),
    ("Francisco I. Madero", 59_000, 60),
    ("Frontera", 82_000, 95),
    ("General Cepeda", 11_700, 35),
    ("Guerrero", 1_600, 0),
    ("Hidalgo", 1_700, 0),
    ("Jiménez", 9_500, 20),
    ("Juárez", 1_500, 0),
    ("Lamadrid", 1_800, 0),
    ("Matamoros", 118_000, 65),
    ("Monclova", 237_000, 98),
    ("Morelos", 8_600, 70),
    ("Múzquiz", 71_000, 80),
    ("Nadadores", 6_500, 55),
    ("Nava", 33_000, 80),
    ("Ocampo", 9_600, 25),
    ("Parras", 45_000, 65),
    ("Piedras Negras", 176_000, 97),
    ("Progreso", 3_200, 0),
    ("Ramos Arizpe", 122_000, 85),
    ("Sabinas", 65_000, 92),
    ("Sacramento", 2_500, 0),
    ("Saltillo", 880_000, 97),
    ("San Buenaventura", 25_000, 80),
    ("San Juan de Sabinas", 42_000, 90),
    ("San Pedro", 101_000, 55),
    ("Sierra Mojada", 4_700, 30),
    ("Torreón", 721_000, 97),
    ("Viesca", 20_000, 25),
    ("Villa Unión", 6_200, 60),
    ("Zaragoza", 15_000, 65),
];

/// Cabecera, then (index into MUNICIPIOS, share of that municipality in thousandths).
pub(super) const DISTRITOS: [(&str, &[(usize, u32)]); 16] = [
    ("Acuña", &[(1, 1000), (13, 1000), (37, 1000)]),
    ("Piedras Negras", &[(24, 1000), (11, 1000), (12, 1000)]),
    ("Sabinas", &[(27, 1000), (31, 1000), (21, 1000), (2, 1000), (18, 1000), (36, 1000), (25, 1000), (14, 1000)]),
    (
        "San Pedro",
        &[
            (32, 1000),
            (17, 150),
            (5, 1000),
            (6, 1000),
            (33, 1000),
            (7, 1000),
            (28, 1000),
            (15, 1000),
            (4, 1000),
            (0, 1000),
        ],
    ),
    ("Monclova", &[(17, 850)]),
    ("Frontera", &[(9, 1000), (19, 1000), (30, 1000), (22, 1000), (20, 1000)]),
    ("Matamoros", &[(16, 1000), (8, 1000), (35, 1000), (34, 12)]),
    ("Torreón", &[(34, 247)]),
    ("Torreón", &[(34, 247)]),
    ("Torreón", &[(34, 247)]),
    ("Torreón", &[(34, 247)]),
    ("Ramos Arizpe", &[(26, 1000), (23, 1000), (3, 1000), (10, 1000)]),
    ("Saltillo", &[(29, 250)]),
    ("Saltillo", &[(29, 250)]),
    ("Saltillo", &[(29, 250)]),
    ("Saltillo", &[(29, 250)]),
];

/// Casillas planned for 7 June 2026, special ones included.
pub(super) const CASILLAS: usize = 4_283;
/// Two special casillas in each district, for voters away from home.
pub(super) const ESPECIALES_POR_DISTRITO: usize = 2;
/// About this many people on the lista nominal.
pub(super) const LISTA_NOMINAL: u32 = 2_400_000;

/// The columns of votes, in ballot order; a coalition's common mark follows the parties.
pub(super) const COLUMNAS: [&str; 13] = [
    "PAN",
    "PRI",
    "PVEM",
    "PT",
    "MC",
    "MORENA",
    "UDC",
    "PLA",
    "PLB",
    "C_PRI_UDC",
    "C_PT_MORENA",
    "NO_REGISTRADOS",
    "NULOS",
];

/// One who stands: mean strength, its deviation between nights, its deviation between districts, and
/// the columns with the share that each takes of its votes.
pub(super) struct Fuerza {
    pub media: f64,
    pub entre_noches: f64,
    pub entre_distritos: f64,
    pub columnas: &'static [(usize, f64)],
}

/// Invented strengths: three blocs start level, so that the seed and not this table decides who leads.
pub(super) const FUERZAS: [Fuerza; 7] = [
    Fuerza { media: 27.0, entre_noches: 0.06, entre_distritos: 0.15, columnas: &[(0, 1.0)] },
    Fuerza { media: 27.0, entre_noches: 0.06, entre_distritos: 0.15, columnas: &[(1, 0.78), (6, 0.14), (9, 0.08)] },
    Fuerza { media: 5.5, entre_noches: 0.15, entre_distritos: 0.25, columnas: &[(2, 1.0)] },
    Fuerza { media: 27.0, entre_noches: 0.06, entre_distritos: 0.15, columnas: &[(5, 0.80), (3, 0.12), (10, 0.08)] },
    Fuerza { media: 9.5, entre_noches: 0.15, entre_distritos: 0.30, columnas: &[(4, 1.0)] },
    Fuerza { media: 2.4, entre_noches: 0.20, entre_distritos: 0.30, columnas: &[(7, 1.0)] },
    Fuerza { media: 1.6, entre_noches: 0.20, entre_distritos: 0.30, columnas: &[(8, 1.0)] },
];
