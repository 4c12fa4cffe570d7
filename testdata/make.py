#!/usr/bin/env python3
"""Writes appservice/*.txtar and rfc9440/*.txtar from the captures folder.

    python3 make.py CAPTURES

CAPTURES holds azure-app-service.json, spoofed-headers.json and pki/. Needs Python 3.9 and the openssl command (PKCS#7 only).
Nothing here is random: the same captures give the same files.
"""

import base64
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import urllib.parse
from datetime import datetime, timedelta

HERE = pathlib.Path(__file__).resolve().parent
CAPTURES = pathlib.Path(sys.argv[1])
PKI = CAPTURES / "pki"
INDEX = json.loads((PKI / "index.json").read_text())["certificates"]
NOW = "2026-12-01T00:00:00Z"
NAME = "X-ARR-ClientCert"
SSL = ("X-ARR-SSL", "2048|256|CN=Example Issuing CA, O=Example, C=US|CN=app.example.test, O=Example, C=US")
LOG = ("X-ARR-LOG-ID", "6f1d7c1e-6f0e-4d5b-9a53-3a3b6f5f2c10")
PROTO = ("X-AppService-Proto", "https")
STANDIN = "HAProxy stand-in for App Service, never evidence about Azure"

A = (["a-root"], ["a-intermediate"])
AB = (["a-root", "b-root"], ["a-intermediate", "b-intermediate", "b-issuing"])
written = {}


def pem(name):
    return (PKI / f"{name}.pem").read_text()


def der(name):
    data = base64.b64decode("".join(pem(name).split("-----")[2].split()), validate=True)
    assert hashlib.sha256(data).hexdigest() == INDEX[name]["sha256"], name
    return data


def b64(data):
    return base64.b64encode(data).decode()


def thumbprint(name):
    return "thumbprint " + INDEX[name]["sha256"]


def public_key(name):
    return "public-key " + b64(bytes.fromhex(INDEX[name]["spki_sha256"]))


def vector(folder, file, expect, comment, headers, policy="chain", trust=A, leaf=None, time=NOW, peer="127.0.0.1:46570"):
    """trust is (roots, intermediates), written under a chain policy only."""
    assert (expect == "accepted") == (leaf is not None), file
    lines = ["source: app-service", f"expect: {expect}", f"time: {time}", f"comment: {comment}", f"policy: {policy}"]
    if leaf:
        lines.append("leaf: " + INDEX[leaf]["sha256"])
    lines += [f"peer: {peer}", "", "-- headers --"]
    lines += [f"{name}: {value}".rstrip(" ") for name, value in headers]
    text = "\n".join(lines) + "\n"
    if policy.startswith("chain"):
        for section, names in zip(("roots.pem", "intermediates.pem"), trust):
            if names:
                text += f"-- {section} --\n" + "".join(pem(n).strip() + "\n" for n in names)
    path = HERE / folder / f"{file}.txtar"
    assert path not in written, file
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text), file
    written[path] = text


def request(*certificates, evidence=(SSL, LOG, PROTO)):
    return [(NAME, c) for c in certificates] + list(evidence)


# ---- captures ----------------------------------------------------------------------------------

captured = {}
for c in json.loads((CAPTURES / "azure-app-service.json").read_text())["captures"]:
    captured[c["id"].split("/", 2)[2]] = c
BARE = "no intermediate configured: the front end sends the leaf only"


def capture(key, file, expect, note, **more):
    c = captured[key]
    outcome = c["expect"][0]["outcome"]
    allowed = {
        "absent": ["certificate_missing"],
        "malformed": ["certificate_malformed"],
        "certificate": ["accepted", "chain_untrusted", "certificate_is_ca", "pin_mismatch"],
    }[outcome]
    assert expect in allowed, (file, outcome)
    if expect == "accepted":
        more["leaf"] = c["expect"][0]["leaf"]
    vector("appservice", "capture-" + file, expect, f"{note}; capture {c['id']}, {STANDIN}",
           [tuple(h) for h in c["request"]["headers"]], peer=c["request"]["remote_addr"], **more)


capture("valid/client-rsa", "client-rsa", "accepted", "RSA client")
capture("valid/client-rsa", "client-rsa-no-intermediate", "chain_untrusted", BARE, trust=(["a-root"], []))
capture("valid/client-rsa", "client-rsa-strict-eku", "accepted", "clientAuth is present", policy="chain strict-eku")
capture("valid/client-ec", "client-ec", "accepted", "P-256 client")
capture("valid/client-ec", "client-ec-no-intermediate", "chain_untrusted", BARE, trust=(["a-root"], []))
capture("valid/client-ec", "client-ec-other-root", "chain_untrusted", "roots of another authority",
        trust=(["b-root"], ["b-intermediate", "b-issuing"]))
capture("valid/client-ec", "client-ec-thumbprint", "accepted", "exact pin", policy=thumbprint("client-ec"))
capture("valid/client-ec", "client-ec-public-key", "accepted", "key pin", policy=public_key("client-ec"))
capture("valid/client-ec", "client-ec-other-thumbprint", "pin_mismatch", "pin of client-rsa", policy=thumbprint("client-rsa"))
capture("valid/client-ec", "client-ec-other-public-key", "pin_mismatch", "key pin of client-rsa", policy=public_key("client-rsa"))
capture("leaf-only/client-ec-leaf-only", "leaf-only", "accepted", "the client sent its leaf only, the intermediate is configured")
capture("leaf-only/client-ec-leaf-only", "leaf-only-no-intermediate", "chain_untrusted",
        "the client sent its leaf only, none configured", trust=(["a-root"], []))
capture("valid/nasty-dn-ec", "nasty-dn", "accepted", "separators and quotes in every name", trust=AB)
capture("valid/nasty-dn-ec", "nasty-dn-no-intermediate", "chain_untrusted", BARE, trust=(AB[0], []))
capture("valid/nasty-dn-ec", "nasty-dn-one-of-two-intermediates", "chain_untrusted", "b-intermediate is not configured",
        trust=(AB[0], ["b-issuing"]))
capture("self-signed/self-signed", "self-signed", "certificate_is_ca", "self-signed with CA:TRUE, as openssl req -x509 makes it")
capture("self-signed/self-signed", "self-signed-as-root", "certificate_is_ca", "the same, configured as its own root",
        trust=(["self-signed"], []))
capture("self-signed/self-signed", "self-signed-thumbprint", "accepted", "the same under an exact pin", policy=thumbprint("self-signed"))
capture("self-signed/self-signed", "self-signed-public-key", "certificate_is_ca", "the same under a key pin", policy=public_key("self-signed"))
capture("no-certificate", "no-certificate", "certificate_missing", "no client certificate")
capture("no-certificate-spoofed", "no-certificate-spoofed", "certificate_missing",
        "only aliases and other front ends' headers, with another client's certificate", trust=AB)
capture("no-certificate-spoofed", "no-certificate-spoofed-thumbprint", "certificate_missing",
        "the same, and the spoofed certificate is the pinned one", policy=thumbprint("nasty-dn-ec"))
capture("valid-and-spoofed/client-ec", "valid-and-spoofed", "accepted", "the real header counts, aliases do not", trust=AB)
capture("valid-and-spoofed/client-ec", "valid-and-spoofed-thumbprint", "pin_mismatch",
        "the aliases hold the pinned certificate, the real header does not", policy=thumbprint("nasty-dn-ec"))
capture("connection-lists-header/client-ec", "connection-lists-header", "certificate_malformed", "Connection names the certificate header")
used = {p.name for p in written}
assert len(captured) == 9 and len(used) == 25

# ---- header lines and evidence -----------------------------------------------------------------

EC = b64(der("client-ec"))
RSA = b64(der("client-rsa"))
NASTY = b64(der("nasty-dn-ec"))


def case(file, expect, comment, headers, **more):
    vector("appservice", file, expect, comment, headers, **more)


case("evidence-all", "accepted", "constructed: the four headers that count", request(EC), leaf="client-ec")
case("evidence-no-proto", "accepted", "constructed: X-AppService-Proto is checked only if present", request(EC, evidence=(SSL, LOG)), leaf="client-ec")
AZURE = "CN=Microsoft Azure RSA TLS Issuing CA 04, O=Microsoft Corporation, C=US|CN=*.azurewebsites.net, O=Microsoft Corporation, L=Redmond, S=WA, C=US"
case("evidence-ssl-azure", "accepted", "constructed: X-ARR-SSL with the names of Microsoft's certificate",
     request(EC, evidence=((SSL[0], "2048|256|" + AZURE), LOG, PROTO)), leaf="client-ec")
case("evidence-ssl-quoted", "accepted", "constructed: X-ARR-SSL with 128 cipher bits, the other DN order, quotes and commas",
     request(EC, evidence=((SSL[0], '2048|128|C=US, O="Example, Inc.", CN=Example CA|C=US, O="Example, Inc.", CN=app.example.test'), LOG, PROTO)), leaf="client-ec")

UNTRUSTED = {
    "no-log-id": ("no X-ARR-LOG-ID", (SSL, PROTO)),
    "no-ssl": ("no X-ARR-SSL", (LOG, PROTO)),
    "none": ("certificate header alone", ()),
    "proto-http": ("X-AppService-Proto http", (SSL, LOG, (PROTO[0], "http"))),
}
for name, value, note in [
    ("three-parts", "2048|256|CN=Example", "three parts"),
    ("five-parts", SSL[1] + "|CN=more", "five parts"),
    ("one-part", "on", "no separator"),
    ("key-bits", "x|256|CN=a|CN=b", "first part not decimal"),
    ("key-bits-hex", "0x800|256|CN=a|CN=b", "first part hexadecimal"),
    ("cipher-bits", "2048|AES|CN=a|CN=b", "second part not decimal"),
    ("empty-bits", "||CN=a|CN=b", "first two parts empty"),
    ("signed-bits", "-2048|+256|CN=a|CN=b", "signs before the numbers"),
]:
    UNTRUSTED["ssl-" + name] = ("X-ARR-SSL: " + note, ((SSL[0], value), LOG, PROTO))
for name, (note, evidence) in UNTRUSTED.items():
    case("evidence-" + name, "source_untrusted", f"constructed: {note}, with a good certificate", request(EC, evidence=evidence))
case("evidence-none-no-certificate", "certificate_missing", "constructed: platform probe, no evidence and no certificate",
     [("User-Agent", "AlwaysOn")])

spoofed = [tuple(h) for h in json.loads((CAPTURES / "spoofed-headers.json").read_text())["headers"]]
case("spoofed-direct", "source_untrusted", "spoofed-headers.json as sent, without a front end: no evidence", spoofed, trust=AB)
case("spoofed-first", "certificate_malformed", "constructed: the client's copy kept in front of the real line",
     spoofed[:1] + request(EC), trust=AB)
case("spoofed-last", "certificate_malformed", "constructed: the client's copy kept behind the real line", request(EC) + spoofed[:1], trust=AB)
case("spoofed-case", "certificate_malformed", "constructed: the client's copy under another spelling of the same name",
     [("x-arr-clientcert", NASTY)] + request(EC), trust=AB)

case("header-empty", "certificate_missing", "constructed: empty value", request(""))
case("header-twice-same", "certificate_malformed", "constructed: the same line twice", request(EC, EC))
case("header-twice-one-empty", "certificate_malformed", "constructed: an empty line before the real one", request("", EC))
case("header-lower-case", "accepted", "constructed: header names in lower case",
     [(n.lower(), v) for n, v in request(EC)], leaf="client-ec")
case("connection-other-case", "certificate_malformed", "constructed: Connection names the header in other letter case, in a list",
     [("Connection", "close, x-arr-CLIENTCERT")] + request(EC))
case("connection-second-line", "certificate_malformed", "constructed: a second Connection line names the header",
     [("Connection", "keep-alive"), ("Connection", NAME)] + request(EC))
case("connection-keep-alive", "accepted", "constructed: a harmless Connection line", [("Connection", "keep-alive")] + request(EC), leaf="client-ec")

# ---- policy ------------------------------------------------------------------------------------

UNKNOWN = b64(der("untrusted-rsa4096"))
SAME = "names of nasty-dn-ec under an authority that is not trusted"
C = (["a-root", "b-root"], ["b-intermediate", "b-issuing"])
case("unknown-ca", "chain_untrusted", f"constructed from untrusted-rsa4096: {SAME}", request(UNKNOWN), trust=C)
case("unknown-ca-intermediates", "chain_untrusted", "the same, and its intermediates are configured: they lead to no root", request(UNKNOWN),
     trust=(C[0], ["c-intermediate", "c-issuing"]))
case("unknown-ca-expired", "chain_untrusted", "the same after its end: the chain decides before the dates", request(UNKNOWN),
     trust=C, time="2028-01-01T00:00:00Z")
case("unknown-ca-thumbprint", "pin_mismatch", f"constructed from untrusted-rsa4096: {SAME}; exact pin of nasty-dn-ec", request(UNKNOWN),
     policy=thumbprint("nasty-dn-ec"))
case("unknown-ca-public-key", "pin_mismatch", f"constructed from untrusted-rsa4096: {SAME}; key pin of nasty-dn-ec", request(UNKNOWN),
     policy=public_key("nasty-dn-ec"))

# ---- decoding ----------------------------------------------------------------------------------
# The policy would take client-ec (or client-rsa), so that a decoder that forgives shows as an acceptance.


def decode(file, comment, value, **more):
    case("decode-" + file, "certificate_malformed", f"constructed from client-ec: {comment}", request(value), **more)


for file, value in {
    "null-parenthesis": "(null)", "null": "null", "undefined": "undefined", "dash": "-", "nil": "<nil>", "colons": "::", "colon": ":",
    "placeholder": "{http.request.tls.client.certificate_der_base64}",
}.items():
    case("decode-" + file, "certificate_malformed", "constructed: a front end's spelling of no certificate", request(value))

cert = der("client-ec")
assert EC.endswith("=") and not EC.endswith("==") and "+" in EC and "/" in EC and cert[:2] == b"\x30\x82"
alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
last = alphabet.index(EC[-2])
assert last % 4 == 0

decode("base64url", "base64url alphabet", EC.replace("+", "-").replace("/", "_"))
decode("base64url-unpadded", "base64url without padding", EC.replace("+", "-").replace("/", "_").rstrip("="))
decode("unpadded", "padding left out", EC.rstrip("="))
decode("over-padded", "one = too many", EC + "=")
decode("four-pads", "a whole group of padding more", EC + "====")
decode("only-padding", "nothing but padding", "===")
decode("pad-in-front", "= in front", "=" + EC.rstrip("="))
decode("pad-in-middle", "padded base64 of two halves in a row", b64(cert[:400]) + b64(cert[400:]))
decode("pad-bits", "non-zero bits before the padding", EC[:-2] + alphabet[last + 1] + "=")
decode("inner-space", "a space inside", EC[:64] + " " + EC[64:])
decode("inner-tab", "a tab inside", EC[:64] + "\t" + EC[64:])
decode("line-spaces", "64-character lines joined by spaces", " ".join(re.findall(".{1,64}", EC)))
decode("plus-as-space", "+ turned into space by form decoding", EC.replace("+", " "))
decode("trailing-comma", "comma at the end", EC + ",")
decode("two-joined", "two values joined by a hop, comma and space", NASTY + ", " + EC, trust=AB)
decode("two-joined-bare", "two values joined by a bare comma", EC + "," + b64(der("a-intermediate")))
decode("semicolon", "parameter behind the value", EC + ";a=1")
decode("quoted", "in double quotes", f'"{EC}"')
decode("bom", "U+FEFF in front", "\ufeff" + EC)
decode("full-width-plus", "U+FF0B for +", EC.replace("+", "\uff0b"))
decode("percent-base64", "percent-encoded base64", urllib.parse.quote(EC, safe=""))
decode("literal-newlines", "backslash and n between the lines", "\\n".join(re.findall(".{1,64}", EC)))
decode("data-url", "data URL", "data:application/pkix-cert;base64," + EC)

decode("base64-twice", "base64 of the base64", b64(EC.encode()))
decode("base64-pem", "base64 of the PEM text", b64(pem("client-ec").encode()))
decode("hex", "hexadecimal DER", cert.hex())
decode("hex-colons", "hexadecimal DER with colons", cert.hex(":").upper())
pkcs7 = subprocess.run(["openssl", "crl2pkcs7", "-nocrl", "-certfile", str(PKI / "client-ec.pem"), "-outform", "DER"],
                       check=True, capture_output=True).stdout
decode("pkcs7", "PKCS#7 with the certificate", b64(pkcs7))
spki = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], check=True, capture_output=True, input=subprocess.run(
    ["openssl", "x509", "-in", str(PKI / "client-ec.pem"), "-noout", "-pubkey"], check=True, capture_output=True).stdout).stdout
assert hashlib.sha256(spki).hexdigest() == INDEX["client-ec"]["spki_sha256"]
decode("spki", "the public key alone", b64(spki))
decode("text", "base64 of text", b64(b"not a certificate"))

decode("trailing-byte", "one zero byte behind the certificate", b64(cert + b"\0"))
decode("trailing-newline", "a newline behind the certificate", b64(cert + b"\n"))
decode("two-certificates", "two certificates in one value", b64(cert + der("a-intermediate")))
decode("same-certificate-twice", "the certificate twice in one value", b64(cert + cert))
decode("truncated", "last byte missing", b64(cert[:-1]))
decode("truncated-half", "second half missing", b64(cert[:474]))
decode("header-only", "four bytes", b64(cert[:4]))
decode("indefinite-length", "BER indefinite length", b64(b"\x30\x80" + cert[4:] + b"\0\0"))
decode("long-length", "length in more bytes than needed", b64(b"\x30\x83\0" + cert[2:]))
decode("length-overflow", "length of 4 GiB less one", b64(b"\x30\x84\xff\xff\xff\xff" + cert[4:]))
decode("length-overflow-64", "length of nearly 8 EiB", b64(b"\x30\x88\x7f" + b"\xff" * 7 + cert[4:]))
nested = b""
for _ in range(1000):
    n = len(nested)
    nested = b"\x30" + (bytes([n]) if n < 128 else bytes([0x81, n]) if n < 256 else b"\x82" + n.to_bytes(2, "big")) + nested
decode("nested", "1000 nested SEQUENCEs", b64(nested))
decode("set", "SET for the outer SEQUENCE", b64(b"\x31" + cert[1:]))

PEM = pem("client-ec").strip() + "\n"
BODY = "".join(PEM.split("-----")[2].split())
one = PEM.strip().replace("\n", " ")
quote = urllib.parse.quote(PEM, safe="")
decode("pem-spaces", "PEM with spaces for newlines", one)
decode("pem-joined", "PEM without newlines", PEM.replace("\n", ""))
decode("pem-percent", "percent-encoded PEM", quote)
decode("pem-percent-lower", "percent-encoded PEM, lower-case hex, + / = literal", quote.replace("%0A", "%0a").replace("%2B", "+").replace("%2F", "/").replace("%3D", "="))
decode("pem-percent-twice", "PEM percent-encoded twice", urllib.parse.quote(quote, safe=""))
decode("pem-junk", "text in front of the PEM markers", "subject=CN=client-ec " + one)
decode("pem-no-end", "PEM without the END marker", one.replace(" -----END CERTIFICATE-----", ""))
decode("pem-end-only", "base64 and the END marker", EC + "-----END CERTIFICATE-----")
decode("pem-lower-case", "markers in lower case", one.replace("BEGIN CERTIFICATE", "begin certificate").replace("END CERTIFICATE", "end certificate"))
decode("pem-headers", "PEM header inside", one.replace("BEGIN CERTIFICATE-----", "BEGIN CERTIFICATE----- Proc-Type: 4,CLEAR"))
decode("pem-two-blocks", "two PEM blocks", one + " " + pem("a-intermediate").strip().replace("\n", " "))

decode("rfc9440", "RFC 9440 byte sequence", f":{EC}:")
decode("rfc9440-list", "RFC 9440 list", f":{EC}:, :{b64(der('a-intermediate'))}:")
decode("xfcc", "Envoy element with Hash and Cert", f'Hash={INDEX["client-ec"]["sha256"]};Cert="{quote}"')
decode("xfcc-base64", "Envoy element with base64", f'Cert="{EC}"')
decode("json", "JSON array", f'["{EC}"]')

# ---- RFC 9440 ----------------------------------------------------------------------------------

LEAF = b64(der("rfc9440-leaf"))
RFC = (["rfc9440-root"], ["rfc9440-intermediate"])
BEGIN, END = INDEX["rfc9440-leaf"]["not_before"], INDEX["rfc9440-leaf"]["not_after"]
FORM = "%Y-%m-%dT%H:%M:%SZ"


def shifted(time, seconds):
    return (datetime.strptime(time, FORM) + timedelta(seconds=seconds)).strftime(FORM)


def rfc9440(file, expect, comment, time="2020-06-01T00:00:00Z", **more):
    if expect == "accepted":
        more["leaf"] = "rfc9440-leaf"
    vector("rfc9440", file, expect, f"certificate of RFC 9440, Appendix A (CN=BC): {comment}", request(LEAF), time=time,
           **{"trust": RFC, **more})


rfc9440("valid", "accepted", "inside its validity")
rfc9440("valid-strict-eku", "accepted", "clientAuth is present", policy="chain strict-eku")
rfc9440("not-before", "accepted", "the first second", BEGIN)
rfc9440("not-before-minus-1s", "certificate_not_yet_valid", "one second early", shifted(BEGIN, -1))
rfc9440("not-after", "accepted", "the last second", END)
rfc9440("not-after-plus-1s", "certificate_expired", "one second late", shifted(END, 1))
rfc9440("years-late", "certificate_expired", "at the clock of the captures, years late", NOW)
rfc9440("no-intermediate", "chain_untrusted", "intermediate not configured", trust=(["rfc9440-root"], []))
rfc9440("no-intermediate-expired", "chain_untrusted", "intermediate not configured and expired: the chain decides first", NOW, trust=(["rfc9440-root"], []))
rfc9440("thumbprint", "accepted", "exact pin", policy=thumbprint("rfc9440-leaf"))
rfc9440("public-key", "accepted", "key pin", policy=public_key("rfc9440-leaf"))

# ---- write -------------------------------------------------------------------------------------

for folder in ("appservice", "rfc9440"):
    (HERE / folder).mkdir(exist_ok=True)
    for old in (HERE / folder).glob("*.txtar"):
        old.unlink()
for path, text in written.items():
    path.write_bytes(text.encode())
print(f"make.py: {len(written)} vectors")
