#!/bin/sh
# Writes the *.txtar vectors beside it with the openssl command line (3.0 or later) and nothing else.
# Keys are new on every run and thrown away; old vectors are replaced only after every case was made and checked.
set -eu
umask 077
export LC_ALL=C

out=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'echo "make.sh: interrupted" >&2; exit 1' HUP INT TERM
mkdir "$tmp/out"
cd "$tmp"

die() { echo "make.sh: $*" >&2; exit 1; }
quiet() { "$@" 2>log || { cat log >&2; die "failed: $*"; }; }

NOW=2026-12-01T00:00:00Z
NOW_EPOCH=1796083200
FROM=20260101000000Z
TO=20360101000000Z
PEN=1.3.6.1.4.1.32473 # for examples, RFC 5612

cat >ca.cnf <<'CNF'
[ca]
default_ca = issuer
[issuer]
database = ca.db
new_certs_dir = .
default_md = sha256
policy = any
unique_subject = no
email_in_dn = no
[any]
commonName = supplied
[req]
distinguished_name = dn
string_mask = utf8only
utf8 = yes
[dn]
CNF

# ---- keys and requests -------------------------------------------------------------------------

# key NAME ALGORITHM: NAME.key.
key() {
	case $2 in
	rsa*) quiet openssl genpkey -quiet -algorithm RSA -pkeyopt "rsa_keygen_bits:${2#rsa}" -out "$1.key" ;;
	dsa)
		quiet openssl genpkey -quiet -genparam -algorithm DSA -pkeyopt dsa_paramgen_bits:2048 -pkeyopt dsa_paramgen_q_bits:256 -out dsa.par
		quiet openssl genpkey -quiet -paramfile dsa.par -out "$1.key"
		;;
	ed25519 | ed448) quiet openssl genpkey -quiet -algorithm "$2" -out "$1.key" ;;
	*) quiet openssl genpkey -quiet -algorithm EC -pkeyopt "ec_paramgen_curve:$2" -pkeyopt ec_param_enc:named_curve -out "$1.key" ;;
	esac
}

# issue NAME SUBJECT CA [ca options]: NAME.crt for NAME.key, with the extensions on standard input; none make version 1.
# CA is a name, or "self". SERIAL, if set, is the serial number in hex. A date given as an option beats ours.
issue() {
	name=$1 subject=$2 ca=$3
	shift 3
	{ echo '[ext]'; cat; } >ext.cnf
	[ "$(wc -l <ext.cnf)" -eq 1 ] || set -- -extfile ext.cnf -extensions ext "$@"
	quiet openssl req -new -config ca.cnf -key "$name.key" -subj "$subject" -out "$name.csr"
	: >ca.db
	if [ "$ca" = self ]; then
		set -- -selfsign -keyfile "$name.key" "$@"
	else
		set -- -cert "$ca.crt" -keyfile "$ca.key" "$@"
	fi
	cp ca.cnf one.cnf
	if [ -n "${SERIAL-}" ]; then
		echo "$SERIAL" >serial
		printf '[issuer]\nserial = serial\n' >>one.cnf
	else
		printf '[issuer]\nrand_serial = yes\n' >>one.cnf
	fi
	quiet openssl ca -batch -notext -preserveDN -config one.cnf -startdate "$FROM" -enddate "$TO" -in "$name.csr" -out "$name.crt" "$@"
}

ca_ext() {
	echo 'basicConstraints = critical, CA:TRUE'
	echo 'keyUsage = critical, keyCertSign, cRLSign'
	echo "subjectKeyIdentifier = ${1:-hash}"
}

# client_ext [LINE...]: the extensions of a good client certificate, and more lines.
client_ext() {
	cat <<-EXT
		basicConstraints = CA:FALSE
		keyUsage = critical, digitalSignature
		extendedKeyUsage = clientAuth
		subjectKeyIdentifier = hash
		authorityKeyIdentifier = keyid
	EXT
	for line; do echo "$line"; done
}

# no_eku [LINE...]: the same without the extended key usage.
no_eku() { client_ext "$@" | grep -v ^extendedKeyUsage; }

ski() { openssl x509 -in "$1.crt" -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' \n'; }
serial() { openssl x509 -in "$1.crt" -noout -serial | cut -d= -f2; }
thumbprint() { openssl x509 -in "$1.crt" -outform DER | openssl dgst -sha256 -r | cut -d' ' -f1; }
public_key() { openssl x509 -in "$1.crt" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | openssl base64 -A; }
base64_der() { openssl x509 -in "$1.crt" -outform DER | openssl base64 -A; }
version() { openssl x509 -in "$1.crt" -noout -text | grep -q "Version: $2 " || die "$1: not version $2"; }
der_size() { openssl x509 -in "$1.crt" -outform DER | wc -c | tr -d ' '; }

# ---- writing a vector --------------------------------------------------------------------------

# verified LEAF INTERMEDIATES: does openssl accept the chain for a TLS client at NOW? -auth_level 2 refuses SHA-1.
verified() {
	: >untrusted.pem
	for i in $2; do cat "$i.crt" >>untrusted.pem; done
	openssl verify -purpose sslclient -auth_level 2 -attime "$NOW_EPOCH" -no-CApath -no-CAstore \
		-CAfile root.crt -untrusted untrusted.pem "$1.crt" >verify.log 2>&1
}

# vector FILE EXPECT POLICY LEAF INTERMEDIATES COMMENT [VALUE]
# VALUE replaces the base64 of LEAF's DER; roots and intermediates are written under a chain policy only.
vector() {
	file=$1 expect=$2 policy=$3 leaf=$4 intermediates=$5 comment=$6 value=${7-}
	case $policy in chain*)
		case $expect in
		accepted) verified "$leaf" "$intermediates" || { cat verify.log >&2; die "$file: openssl refuses the chain"; } ;;
		chain_untrusted | certificate_expired | certificate_not_yet_valid)
			! verified "$leaf" "$intermediates" || die "$file: openssl accepts the chain" ;;
		esac
		;;
	esac
	case "$policy" in *' ') die "$file: empty pin" ;; esac
	[ ! -e "out/$file.txtar" ] || die "$file: written twice"
	{
		echo 'source: app-service'
		echo "expect: $expect"
		echo "time: $NOW"
		echo "comment: $comment"
		echo "policy: $policy"
		[ "$expect" != accepted ] || echo "leaf: $(thumbprint "$leaf")"
		echo 'peer: 127.0.0.1:46570'
		echo
		echo '-- headers --'
		echo "X-ARR-ClientCert: ${value:-$(base64_der "$leaf")}"
		echo 'X-ARR-SSL: 2048|256|CN=Example Issuing CA, O=Example, C=US|CN=app.example.test, O=Example, C=US'
		echo 'X-ARR-LOG-ID: 6f1d7c1e-6f0e-4d5b-9a53-3a3b6f5f2c10'
		echo 'X-AppService-Proto: https'
		case $policy in chain*)
			echo '-- roots.pem --'
			cat root.crt
			if [ -n "$intermediates" ]; then
				echo '-- intermediates.pem --'
				for i in $intermediates; do cat "$i.crt"; done
			fi
			;;
		esac
	} >"out/$file.txtar"
}

# ---- authorities -------------------------------------------------------------------------------

ISSUER='/C=DE/O=Vector Test/CN=Vector Issuing CA'

key root P-256
ca_ext | issue root '/C=DE/O=Vector Test/CN=Vector Root' self

key issuing rsa2048
ca_ext | issue issuing "$ISSUER" root

# The issuing authority's name and key identifier, another key, not signed by the root.
key impostor rsa2048
ca_ext "$(ski issuing)" | issue impostor "$ISSUER" self

key nc-email P-256
{ ca_ext; echo 'nameConstraints = critical, permitted;email:partner.example'; } |
	issue nc-email '/C=DE/O=Vector Test/CN=Vector E-mail CA' root

key nc-dns P-256
{ ca_ext; echo 'nameConstraints = critical, permitted;DNS:partner.example'; } |
	issue nc-dns '/C=DE/O=Vector Test/CN=Vector DNS CA' root

# ---- clients -----------------------------------------------------------------------------------

SUBJECT='/C=DE/O=Vector Test/CN=Good Client'

key good-rsa rsa2048
client_ext 'subjectAltName = DNS:client.example, email:client@example.test' | issue good-rsa "$SUBJECT" issuing
vector good-rsa accepted chain good-rsa issuing 'RSA-2048 client, clientAuth, one intermediate'
vector good-rsa-strict-eku accepted 'chain strict-eku' good-rsa issuing 'clientAuth is present, as the strict policy demands'
vector good-rsa-no-intermediate chain_untrusted chain good-rsa '' 'the intermediate is not configured and no header carries it'
vector good-rsa-thumbprint accepted "thumbprint $(thumbprint good-rsa)" good-rsa '' 'exact pin, SHA-256 of the DER'
vector good-rsa-public-key accepted "public-key $(public_key good-rsa)" good-rsa '' 'key pin, SHA-256 of the SubjectPublicKeyInfo'

key good-p256 P-256
client_ext | issue good-p256 '/C=DE/O=Vector Test/CN=Good Client P-256' issuing
vector good-p256 accepted chain good-p256 issuing 'P-256 client'
vector other-thumbprint pin_mismatch "thumbprint $(thumbprint good-rsa)" good-p256 '' 'a good certificate, but not the pinned one'
vector other-public-key pin_mismatch "public-key $(public_key good-rsa)" good-p256 '' 'a good certificate, but not the pinned key'

key good-p384 P-384
client_ext | issue good-p384 '/C=DE/O=Vector Test/CN=Good Client P-384' issuing
vector good-p384 accepted chain good-p384 issuing 'P-384 client'

key ed25519 ed25519
client_ext | issue ed25519 '/C=DE/O=Vector Test/CN=Good Client Ed25519' issuing
vector ed25519 accepted chain ed25519 issuing 'Ed25519 client key'

key pss rsa2048
client_ext | issue pss '/C=DE/O=Vector Test/CN=Good Client PSS' issuing -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
vector rsa-pss-signature accepted chain pss issuing 'signed with RSASSA-PSS, SHA-256'

key rdn P-256
client_ext | issue rdn '/C=DE/O=Vector "Quoted, Comma" Test/OU=a+CN=Smith\, Jane; x\=y\/CN\=admin' issuing
vector multi-valued-rdn accepted chain rdn issuing 'subject with a multi-valued RDN (OU+CN), a quoted comma, and CN=admin inside the CN text'

# Renewed: the same key and names, another certificate.
cp good-rsa.key renewed.key
client_ext 'subjectAltName = DNS:client.example, email:client@example.test' | issue renewed "$SUBJECT" issuing
vector renewed-public-key accepted "public-key $(public_key good-rsa)" renewed '' 'renewal with the same key still meets the key pin'
vector renewed-thumbprint pin_mismatch "thumbprint $(thumbprint good-rsa)" renewed '' 'renewal with the same key no longer meets the exact pin'

# ---- dates -------------------------------------------------------------------------------------

key expired P-256
client_ext | issue expired '/C=DE/O=Vector Test/CN=Expired Client' issuing -enddate 20260601000000Z
vector expired certificate_expired chain expired issuing 'trusted chain, leaf ended 2026-06-01'

key future P-256
client_ext | issue future '/C=DE/O=Vector Test/CN=Future Client' issuing -startdate 20270101000000Z
vector not-yet-valid certificate_not_yet_valid chain future issuing 'trusted chain, leaf begins 2027-01-01'

key expired-unknown P-256
client_ext | issue expired-unknown '/C=DE/O=Vector Test/CN=Expired Unknown' impostor -enddate 20260601000000Z
vector expired-unknown-ca chain_untrusted chain expired-unknown issuing 'unknown authority and expired: the chain decides first'

# ---- usage and CA flag -------------------------------------------------------------------------

key server P-256
{ no_eku; echo 'extendedKeyUsage = serverAuth'; } | issue server '/C=DE/O=Vector Test/CN=Server Only' issuing
vector eku-server-only usage_not_allowed chain server issuing 'extended key usage serverAuth only'
vector eku-server-only-strict usage_not_allowed 'chain strict-eku' server issuing 'extended key usage serverAuth only'

key no-eku P-256
no_eku | issue no-eku '/C=DE/O=Vector Test/CN=No EKU' issuing
vector no-eku accepted chain no-eku issuing 'no extended key usage: allowed by default'
vector no-eku-strict usage_not_allowed 'chain strict-eku' no-eku issuing 'no extended key usage: refused by the strict policy'

key ca-leaf P-256
{ client_ext | grep -v ^basicConstraints; echo 'basicConstraints = critical, CA:TRUE'; } |
	issue ca-leaf '/C=DE/O=Vector Test/CN=CA As Client' issuing
vector ca-leaf certificate_is_ca chain ca-leaf issuing 'CA:TRUE client certificate from the trusted authority'
vector ca-leaf-no-intermediate certificate_is_ca chain ca-leaf '' 'the CA flag is looked at before the chain'
vector ca-leaf-public-key certificate_is_ca "public-key $(public_key ca-leaf)" ca-leaf '' 'a CA key is never taken by key pin'
vector ca-leaf-thumbprint accepted "thumbprint $(thumbprint ca-leaf)" ca-leaf '' 'an exact pin may name a CA certificate'

# ---- keys and signatures we do not take --------------------------------------------------------

weak() { # NAME ALGORITHM COMMENT
	key "$1" "$2"
	client_ext | issue "$1" "/C=DE/O=Vector Test/CN=Weak $1" issuing
	vector "$1" certificate_malformed chain "$1" issuing "$3"
}
weak rsa-1024 rsa1024 'RSA-1024 key'
weak p224 P-224 'P-224 key'
weak secp256k1 secp256k1 'secp256k1 key'
weak dsa dsa 'DSA-2048 key'
weak ed448 ed448 'Ed448 key'

key sha1 P-256
client_ext | issue sha1 '/C=DE/O=Vector Test/CN=SHA-1 Client' issuing -md sha1
vector sha1-signature chain_untrusted chain sha1 issuing 'signed with RSA and SHA-1'

# ---- forgeries ---------------------------------------------------------------------------------

# Subject, issuer, serial number, key identifiers, dates and extensions of good-rsa, signed by its own new key.
key copy rsa2048
cp copy.key copy-ca.key
ca_ext "$(ski issuing)" | issue copy-ca "$ISSUER" self
client_ext 'subjectAltName = DNS:client.example, email:client@example.test' |
	sed "s/^subjectKeyIdentifier.*/subjectKeyIdentifier = $(ski good-rsa)/" |
	SERIAL=$(serial good-rsa) issue copy "$SUBJECT" copy-ca
[ "$(serial copy)" = "$(serial good-rsa)" ] || die 'copy: other serial number'
forged='self-signed copy of good-rsa: same subject, issuer, serial number and key identifiers'
vector forged-copy chain_untrusted chain copy issuing "$forged"
vector forged-copy-thumbprint pin_mismatch "thumbprint $(thumbprint good-rsa)" copy '' "$forged"
vector forged-copy-public-key pin_mismatch "public-key $(public_key good-rsa)" copy '' "$forged"

key other-ca rsa2048
client_ext | issue other-ca "$SUBJECT" impostor
vector same-name-ca chain_untrusted chain other-ca issuing 'signed by an authority with the name and key identifier of ours but another key'
vector same-name-ca-configured chain_untrusted chain other-ca 'impostor issuing' 'the same, and that authority is among the intermediates: it leads to no root'

# ---- name constraints and unknown extensions ---------------------------------------------------

key nc-email-ok P-256
client_ext 'subjectAltName = email:alice@partner.example' | issue nc-email-ok '/O=Vector Test/CN=Alice A' nc-email
vector nc-email accepted chain nc-email-ok nc-email 'authority permits mailboxes at the host partner.example; alice@partner.example'

key nc-email-sub P-256
client_ext 'subjectAltName = email:alice@sub.partner.example' | issue nc-email-sub '/O=Vector Test/CN=Alice B' nc-email
vector nc-email-subdomain chain_untrusted chain nc-email-sub nc-email 'a constraint without a leading dot is that host only (RFC 5280, 4.2.1.10); alice@sub.partner.example'

key nc-dns-ok P-256
client_ext 'subjectAltName = DNS:sub.partner.example' | issue nc-dns-ok '/O=Vector Test/CN=Host A' nc-dns
vector nc-dns accepted chain nc-dns-ok nc-dns 'authority permits DNS partner.example, which includes subdomains; sub.partner.example'

key nc-dns-bad P-256
client_ext 'subjectAltName = DNS:partner.example, DNS:notpartner.example' | issue nc-dns-bad '/O=Vector Test/CN=Host B' nc-dns
vector nc-dns-violated chain_untrusted chain nc-dns-bad nc-dns 'authority permits DNS partner.example; the second name is notpartner.example'

key critical P-256
client_ext "$PEN.1 = critical, DER:0500" | issue critical '/C=DE/O=Vector Test/CN=Critical Client' issuing
vector unknown-critical-extension chain_untrusted chain critical issuing 'critical extension nobody knows'

key noncritical P-256
client_ext "$PEN.1 = DER:0500" | issue noncritical '/C=DE/O=Vector Test/CN=Noncritical Client' issuing
vector unknown-extension accepted chain noncritical issuing 'the same extension, not critical'

# ---- the length limit --------------------------------------------------------------------------

# padded NAME SIZE: a certificate of exactly SIZE bytes of DER.
padded() {
	key "$1" rsa2048
	pad=10000
	for round in 1 2; do
		hex=$(printf '%*s' "$pad" '' | sed 's/ /05/g')
		client_ext "$PEN.2 = DER:$hex" | SERIAL=5A00000000000000000000000000000001 issue "$1" "/C=DE/O=Vector Test/CN=Large Client" issuing
		pad=$((pad + $2 - $(der_size "$1")))
	done
	[ "$(der_size "$1")" = "$2" ] || die "$1: $(der_size "$1") bytes, want $2"
}
padded large 12288
vector length-at-limit accepted chain large issuing 'value of exactly 16384 characters'
padded too-large 12291
vector length-over-limit certificate_malformed chain too-large issuing 'value of 16388 characters, otherwise good'

# ---- DER that is no certificate ----------------------------------------------------------------

file_value() { openssl base64 -A -in "$1"; }
quiet openssl req -in good-rsa.csr -outform DER -out csr.der
vector not-a-certificate-csr certificate_malformed chain good-rsa issuing 'certificate signing request of good-rsa' "$(file_value csr.der)"
: >ca.db
printf '01\n' >crlnumber
quiet openssl ca -gencrl -config ca.cnf -cert issuing.crt -keyfile issuing.key -crldays 30 -out crl.pem
quiet openssl crl -in crl.pem -outform DER -out crl.der
vector not-a-certificate-crl certificate_malformed chain good-rsa issuing 'certificate revocation list of the issuing authority' "$(file_value crl.der)"
quiet openssl pkcs12 -export -nokeys -in good-rsa.crt -passout pass: -out p12.der
vector not-a-certificate-pkcs12 certificate_malformed chain good-rsa issuing 'PKCS#12 file with good-rsa and no key' "$(file_value p12.der)"

# ---- version 1 ---------------------------------------------------------------------------------

key v1 P-256
issue v1 '/C=DE/O=Vector Test/CN=Version 1 Client' issuing </dev/null
version v1 1
vector v1-leaf certificate_malformed chain v1 issuing 'version 1 client certificate: no extension can say that it is no CA'

key v1-ca P-256
issue v1-ca '/C=DE/O=Vector Test/CN=Version 1 CA' root </dev/null
version v1-ca 1
key under-v1 P-256
client_ext | grep -v ^authorityKeyIdentifier | issue under-v1 '/C=DE/O=Vector Test/CN=Client Of V1' v1-ca
vector v1-intermediate config_error chain under-v1 v1-ca 'a version 1 certificate is no CA certificate, so New refuses it among the intermediates'

# ---- done --------------------------------------------------------------------------------------

rm -f "$out"/*.txtar
chmod 644 out/*.txtar
cp out/*.txtar "$out/"
echo "make.sh: $(ls out | wc -l | tr -d ' ') vectors"
