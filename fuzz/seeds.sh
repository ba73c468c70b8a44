#!/bin/bash
# Makes the first inputs of each fuzz target with stock tools, from forms that really occur: corpus/TARGET/seed-*.
# They are in the repository already, beside what fuzzing has found; run this again after adding to it.
set -euo pipefail
cd "$(dirname "$0")"
corpus=$PWD/corpus
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export TZ=UTC LC_ALL=C.UTF-8

# seed TARGET NAME: keeps standard input.
seed() {
    mkdir -p "$corpus/$1"
    cat >"$corpus/$1/seed-$2"
}

cd "$work"
for kind in ed25519 ecdsa rsa; do ssh-keygen -q -t $kind -N '' -C '' -f $kind; done
mkdir -p pkg/sitio/datos
cat >pkg/corte.json <<'JSON'
{"formato": 1, "eleccion": "prueba-2026", "corte": "20260607_2010", "fecha_hora": "2026-06-07T20:10:00-06:00",
 "tipo": "oficial", "final": true, "actas": {"esperadas": 4283, "capturadas": 12, "contabilizadas": 11}, "nota": [1.5e3, null, "\u00f1"]}
JSON
echo '<h1>PREP</h1>' >pkg/sitio/index.html
echo '{"a": 1}' >"pkg/sitio/datos/ñ y 'b'.json"
: >pkg/sitio/vacío
(cd pkg && { echo corte.json; find sitio -type f; } | LC_ALL=C sort | xargs -d '\n' sha256sum >SHA256SUMS)
ssh-keygen -q -Y sign -f ed25519 -n prep-corte pkg/SHA256SUMS 2>/dev/null
find pkg -exec touch -d 2026-06-08T02:10:00 {} +

# SHA256SUMS
seed manifest whole <pkg/SHA256SUMS
sed 's/  / */' pkg/SHA256SUMS | seed manifest binary
sed 's/$/\r/' pkg/SHA256SUMS | seed manifest crlf
sed 's|sitio/|./sitio/|' pkg/SHA256SUMS | seed manifest dots
touch $'new\nline' 'back\slash' && sha256sum new* back* | seed manifest escaped
sha256sum --tag pkg/corte.json | seed manifest bsd

# SHA256SUMS.sig
for kind in ed25519 ecdsa rsa; do
    ssh-keygen -q -Y sign -f $kind -n prep-corte <pkg/SHA256SUMS 2>/dev/null | seed signature $kind
done
ssh-keygen -q -Y sign -f ed25519 -n file -O hashalg=sha256 <pkg/SHA256SUMS 2>/dev/null | seed signature other
printf -- '-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n' | seed signature short

# The signers file
for kind in ed25519 ecdsa rsa; do echo "iec $(cat $kind.pub)" | seed signers $kind; done
key=$(cat ed25519.pub)
seed signers options <<SIGNERS
# a comment

iec,*@iec.org.mx,!no@iec.org.mx namespaces="prep-corte,file" $key
"two words" valid-after="20260501",valid-before="20260614235959Z" $key comment
ca cert-authority,namespaces="a\"b" $key
SIGNERS
echo "iec ssh-dss AAAA" | seed signers unknown

# corte.json
seed corte_json whole <pkg/corte.json
echo '{"formato":1,"eleccion":"e","corte":"20240602_2000-12","fecha_hora":"2024-06-02T20:00:00Z","tipo":"simulacro"}' |
    seed corte_json revision
echo '{"formato": 2, "corte": "20261332_2561", "fecha_hora": "2026-06-07", "tipo": "x", "actas": -1}' | seed corte_json wrong
printf '\xef\xbb\xbf{"a": [[[[{}]]]], "a": 1e999}' | seed corte_json odd

# Archives; small ones, for they are read hundreds of times a second. The first holds a whole package.
tar cf - -b1 --format=gnu -C pkg . | seed tar gnu
for format in v7 ustar posix; do tar cf - -b1 --format=$format -C pkg corte.json sitio/vacío | seed tar $format; done
mkdir odd && echo x >odd/file && ln -s file odd/sym && ln odd/file odd/hard && mkfifo odd/pipe
truncate -s 8M odd/hole && echo end >>odd/hole
long=$(printf 'largo-%.0s' {1..35}) && mkdir -p "odd/$long" && echo y >"odd/$long/$long"
for format in gnu posix; do
    tar cf - --format=$format -b1 odd/file odd/sym odd/hard odd/pipe | seed tar links-$format
    tar cf - --format=$format -b1 -S odd/hole | seed tar sparse-$format
    tar cf - --format=$format -b1 "odd/$long" | seed tar long-$format
done
for version in 0.0 0.1; do tar cf - --format=posix --sparse-version=$version -b1 -S odd/hole | seed tar sparse-$version; done
tar cf - -b1 --transform='s|^|/../|' -P odd/file | seed tar outside

zipped() { rm -f out.zip && (cd "$1" && shift && zip -qr "$@") && cat out.zip; }
zipped pkg ../out.zip . | seed zip deflated
zipped pkg -0 ../out.zip . | seed zip stored
zipped pkg -X ../out.zip . | seed zip bare
(cd pkg && zip -qr - . | cat) | seed zip streamed
zipped odd -y ../out.zip file sym | seed zip link
zipped pkg ../out.zip corte.json >/dev/null && echo 'a comment' | zip -qz out.zip >/dev/null && seed zip comment <out.zip
zipped odd -e -P x ../out.zip file | seed zip encrypted
(cd pkg && zip -q --force-zip64 ../z64.zip corte.json sitio/index.html) && seed zip zip64 <z64.zip
(cd pkg && zip -q - - <corte.json | cat) | seed zip zip64-streamed

# Rules for stamps, and what they look into: several texts, of which the lengths stand at the end (256 bytes at most).
texts() {
    local text lengths=
    for text in "${@:1:$#-1}"; do lengths=$(printf '\\%03o' "$(printf %s "$text" | wc -c)")$lengths; done
    printf '%s' "$@"
    # shellcheck disable=SC2059
    printf "$lengths"
}
texts datos/total.json /corte '%Y-%m-%d %H:%M' '{"corte": "2026-06-07 20:10", "x": ["20:10"]}' | seed stamp_rule json
texts '*.html' 'Corte: (.*) horas' '%d de %B de %Y, %H:%M' '<p>Corte: 7 de junio de 2026, 20:10 horas' | seed stamp_rule text
texts '*.csv' '([0-9/]+ [0-9:]+) [(](UTC-6)[)]' '%d/%m/%Y %H:%M' $'X\n\n07/06/2026 20:10 (UTC-6)\n' | seed stamp_rule line
texts 20260607_2010_PREP.zip '^([0-9_]{13})_PREP' '%Y%m%d_%H%M' x | seed stamp_rule names
echo $'X\n\n07/06/2026 20:10 (UTC-6)' >a.csv && rm -f in.zip && zip -q0X in.zip a.csv
{
    printf '%s' 'a.zip' '([0-9/]+ [0-9:]+)' '%d/%m/%Y %H:%M'
    cat in.zip
    printf '\016\021\005'
} | seed stamp_rule zip
texts '%d de %B de %Y, %I:%M %p' '7 de junio de 2026, 08:10 p. m.' | seed stamp_format spanish
texts '%Y%m%d_%H%M' 20260607_2010 | seed stamp_format digits
texts '%d/%m/%Y %H:%M (UTC%z)' '07/06/2026 20:10 (UTC-6)' | seed stamp_format offset
texts '%A %e %b %y %T%%' 'domingo  7 jun 26 20:10:00%' | seed stamp_format all

# Settings
cat >settings <<'TOML'
election = "prueba-2026"
kind = "simulacro"
signers = "allowed_signers"
incoming = "incoming"
threads = 0x10
[listen]
http = ["[::]:80", "127.0.0.1:8080"]
https = ["[::]:443"]
[cortes]
interval = "10m"
keep = 6
[limits]
package_bytes = "2 GiB"
connections = 16_000
[[certificate]]
chain = "fullchain.pem"
key = '''privkey.pem'''
[rsync]
trusted = ["203.0.113.10", "198.51.100.0/28", "2001:db8::/32"]
ports = [873, 2873]
user = "iec"
secrets = "rsyncd.secrets"
[transport]
stamp = "line"
file = "*.zip!*.csv"
regex = "(.*) [(]UTC"
line = 2
format = "%d/%m/%Y %H:%M"
zone = "America/Mexico_City"
TOML
seed settings whole <settings
printf 'electin = "e"\nkind = 7\n[limits]\nconnections = -1\n[cortes]\ninterval = "soon"\n' | seed settings faulty
printf 'limits = 3\ncertificate = [1]\n[[listen]]\n' | seed settings shapes
printf 'a = "\n= 1\n[x' | seed settings broken

# Requests
printf 'GET /datos/total.json?v=1 HTTP/1.1\r\nHost: prep.example.mx\r\nConnection: keep-alive\r\nAccept-Encoding: gzip, br\r\nIf-None-Match: "x"\r\n\r\nGET /' | seed recognise get
printf 'HEAD /%%c3%%b1 HTTP/1.1\nhost:a\nif-modified-since: Sun, 07 Jun 2026 20:10:00 GMT\n\n' | seed recognise head
printf 'POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc' | seed recognise post
printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' | seed recognise h2
printf 'GET http://a/ HTTP/1.1\r\nHost: a\r\nRange: bytes=0-1\r\n\r\n' | seed recognise absolute
printf '\x16\x03\x01\x02\x00\x01\x00' | seed recognise tls
for value in 'gzip;q=0.5, br;q=1.000, *;q=0, identity' 'zstd,,gzip ; q=0' 'W/"abc", "d e", *' '"unclosed' \
    'bytes=0-499,-500,9500-' 'bytes=999-1000' '/a%2Fb/%c3%b1/../%zz' '/.prep/c/20260607_2010/index.html'; do
    printf %s "$value" | seed request_fields "$(printf %s "$value" | md5sum | cut -c1-6)"
done

# Fields that a cache reads
printf 'cache-control: max-age=5, private="a, b", no-cache=x\ndate: Sun, 06 Nov 1994 08:49:37 GMT\nexpires: 0\nage: 3\nvary: a, *\nconnection: a\netag: W/"x"\n' | seed cache_fields plain
printf 'cdn-cache-control: max-age=60;x=1, no-cache="a", y=(1 2), z=@5\nif-none-match: "a", W/"b"\nif-range: "a"\nvia: 1.1 difusor (x)\nlocation: /new\npragma: no-cache\n' | seed cache_fields targeted

# What an origin answers; the first byte says where it is split
printf '\x08HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhola!mas' | seed origin_response length
printf '\x06HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;a="b"\r\nhola\r\n1\r\n!\r\n0\r\nx: y\r\n\r\n' | seed origin_response chunks
printf '\x01HTTP/1.0 304 Not Modified\r\nContent-Length: 5\r\n\r\n' | seed origin_response head

# A database of actas
csv() {
    printf '%s\n' 'DIPUTACIONES LOCALES 2026' '07/06/2026 23:00 (UTC-6)' 'ACTAS_ESPERADAS|ACTAS_CAPTURADAS' '2|1' ''
    printf '%s\n' 'CLAVE_ACTA|ID_ESTADO|ESTADO|ID_DISTRITO|DISTRITO|SECCION|ID_CASILLA|TIPO_CASILLA|TOTAL_VOTOS_SACADOS|PAN|PRI|PRI_UDC|NO_REGISTRADAS|NULOS|TOTAL_VOTOS_CALCULADOS|LISTA_NOMINAL|OBSERVACIONES|CONTABILIZADA|FECHA_HORA_ACOPIO|FECHA_HORA_CAPTURA|FECHA_HORA_VERIFICACION'
    printf '%s\n' '="050001B0100"|5|COAHUILA|1|SALTILLO|1|1|B|30|10|9|8|1|2|30|700||1|2026-06-07 20:00:00|2026-06-07 20:05:00|2026-06-07 20:06:00' \
        '050002C0100|5|COAHUILA|2|"TORREÓN"|2|1|C|-|-|-|-|-|-|-|650|SIN ACTA|0|-|-|-'
}
csv | seed night_csv pipes
csv | tr '|' ',' | sed 's/$/\r/' | seed night_csv commas
csv | iconv -t LATIN1 | seed night_csv latin
printf 'x|SECCION|ID_DISTRITO|LISTA_NOMINAL|TIPO_ACTA|PAN|NULOS|FECHA_HORA_VERIFICACION\n1|2|2|5|0|9|1|2024-06-02 20:00:01\n' |
    seed night_csv least

# What a difusor says of itself, and bodies behind a byte
printf '{"estado":"vigente","resultados":true,"simulacro":false,"corte":"20260607_2010","fecha_hora":"2026-06-07T20:10:00-06:00","intervalo_s":600,"abre":"2026-06-07T18:30:00-06:00","cierra":"2026-06-14T23:59:59-06:00","reloj":{"eleccion":"2026-06-07T20:45:30-06:00","maquina_s":1780886730,"ritmo":1.0}}' | seed audit estado
zeros=$(printf '%064d' 0)
sums=$(printf abc | sha256sum | cut -c1-64)
link=$(printf '%s\n20260607_2010\n%s\n' "$zeros" "$sums" | sha256sum | cut -c1-64)
printf '{"cortes":[\n{"corte":"20260607_2010","sha256":"%s","retirado":true,"anterior":"%s","eslabon":"%s"}\n]}' "$sums" "$zeros" "$link" | seed audit chain
{ printf '\377'; printf 'abcabcabc%.0s' 1 2 3 4 5 6 7 8 9 | gzip -9; } | seed audit gzip
