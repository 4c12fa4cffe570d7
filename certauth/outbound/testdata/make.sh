#!/usr/bin/env bash
# Makes pkcs12/ anew, except azure-null-password.p12: bash make.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/pkcs12"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
find . -name '*.p12' ! -name 'azure-*' -delete

days=36500
request() { openssl req -new -key "$1" -subj "$2" -out "$scratch/request.pem"; }
sign() { # out extensions issuer
	printf '%s\n' "$2" >"$scratch/extensions"
	openssl x509 -req -in "$scratch/request.pem" -CA "$3.pem" -CAkey "$scratch/${3}.key" -days $days -extfile "$scratch/extensions" -out "$1" 2>/dev/null
}
p256() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }

ca=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash'
client=$'basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nsubjectAltName=DNS:orders.contoso.example'
p256 "$scratch/root.key"
openssl req -x509 -new -key "$scratch/root.key" -subj "/O=Contoso/CN=Outbound Root" -days $days -out root.pem
p256 "$scratch/intermediate.key"
request "$scratch/intermediate.key" "/O=Contoso/CN=Outbound Issuing"
sign intermediate.pem "$ca" root
p256 leaf.key
request leaf.key "/O=Contoso/CN=orders"
sign leaf.pem "$client" intermediate
p256 "$scratch/other.key"
request "$scratch/other.key" "/O=Contoso/CN=billing"
sign "$scratch/other.pem" "$client" intermediate
openssl genrsa -out "$scratch/rsa.key" 2048 2>/dev/null
request "$scratch/rsa.key" "/O=Contoso/CN=orders"
sign "$scratch/rsa.pem" "$client" intermediate
cat root.pem intermediate.pem >"$scratch/chain.pem" # on purpose in the wrong order

export_leaf() { # out password options...
	local out=$1 password=$2
	shift 2
	openssl pkcs12 -export -in leaf.pem -inkey leaf.key -passout "pass:$password" -out "$out" "$@"
}
with_chain=(-certfile "$scratch/chain.pem")
des3=(-keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1)
legacy=(-provider default -provider legacy)
export_leaf modern.p12 changeit "${with_chain[@]}"
export_leaf modern-nochain.p12 changeit
export_leaf modern-empty.p12 '' "${with_chain[@]}"
export_leaf aes128.p12 changeit "${with_chain[@]}" -keypbe AES-128-CBC -certpbe AES-128-CBC
export_leaf aes192.p12 changeit "${with_chain[@]}" -keypbe AES-192-CBC -certpbe AES-192-CBC
export_leaf sha512.p12 changeit "${with_chain[@]}" -macalg sha512
export_leaf 3des.p12 changeit "${with_chain[@]}" "${des3[@]}"
export_leaf 3des-empty.p12 '' "${with_chain[@]}" "${des3[@]}"
export_leaf rc2-40.p12 changeit "${with_chain[@]}" "${legacy[@]}" -certpbe PBE-SHA1-RC2-40 -keypbe PBE-SHA1-3DES -macalg sha1
export_leaf rc2-40-empty.p12 '' "${with_chain[@]}" "${legacy[@]}" -certpbe PBE-SHA1-RC2-40 -keypbe PBE-SHA1-3DES -macalg sha1
export_leaf rc2-128.p12 changeit "${with_chain[@]}" "${legacy[@]}" -certpbe PBE-SHA1-RC2-128 -keypbe PBE-SHA1-RC2-128 -macalg sha1
export_leaf dotnet-shaped.p12 changeit "${with_chain[@]}" "${des3[@]}" -iter 2000 -name "Orders (Contoso)" -CSP "Microsoft Enhanced RSA and AES Cryptographic Provider" -LMK
export_leaf nomac.p12 changeit "${with_chain[@]}" -nomac
export_leaf nomac-empty.p12 '' "${with_chain[@]}" -nomac
export_leaf plain.p12 '' "${with_chain[@]}" -keypbe NONE -certpbe NONE -nomac
export_leaf plain-mac.p12 changeit "${with_chain[@]}" -keypbe NONE -certpbe NONE
openssl pkcs12 -export -nocerts -inkey leaf.key -passout pass: -keypbe NONE -nomac -out key-only.p12
export_leaf iterations-1000000.p12 changeit "${with_chain[@]}" -iter 1000000
openssl pkcs12 -export -in "$scratch/rsa.pem" -inkey "$scratch/rsa.key" "${with_chain[@]}" -passout pass:changeit -out rsa.p12
openssl pkcs12 -export -in "$scratch/other.pem" -inkey "$scratch/other.key" "${with_chain[@]}" -name billing -passout pass:changeit -out "$scratch/other.p12"
export_leaf "$scratch/named.p12" changeit "${with_chain[@]}" -name orders

store() { # file of a certificate, store to import it into, options of Java
	keytool "${@:3}" -importkeystore -srckeystore "$scratch/$1" -srcstorepass changeit -destkeystore "$2" -deststoretype PKCS12 -deststorepass changeit -noprompt 2>/dev/null
}
store named.p12 keytool-two.p12
store other.p12 keytool-two.p12
store named.p12 keytool-legacy.p12 -J-Dkeystore.pkcs12.legacy
store named.p12 keytool-secret.p12
keytool -genseckey -keystore keytool-secret.p12 -storepass changeit -alias secret -keyalg AES -keysize 128

# keys that Go does not support
for kind in brainpool ed448; do
	case $kind in
	brainpool) openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:brainpoolP256r1 -out "$scratch/$kind.key" ;;
	ed448) openssl genpkey -algorithm ed448 -out "$scratch/$kind.key" ;;
	esac
	request "$scratch/$kind.key" "/O=Contoso/CN=orders"
	sign "$scratch/$kind.crt" "$client" intermediate
	cat "$scratch/$kind.crt" "$scratch/$kind.key" >"$kind.pem"
	openssl pkcs12 -export -in "$kind.pem" -passout pass:changeit -out "$kind.p12"
done
