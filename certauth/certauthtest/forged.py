#!/usr/bin/env python3
"""Fires forged.json at a service on this machine and says what gets in.

A runner of the table for services that are not written in Go, with nothing but Python's
standard library. FORGED.md says what the table means. It speaks HTTP/1.1 without TLS, and of the
certificates it takes those that it is given: rows for others are left out, and counted.

  forged.py --front-end Nginx --client genuine=client.pem,issuing.pem \\
      --client issuer=issuing.pem --client selfsigned=self.pem http://127.0.0.1:8080/orders

The first --client is the one that must get in. The exit code is 0 if nothing got in that should
not, 1 if something did, and 2 if the run proves nothing.
"""

import argparse
import base64
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import urllib.parse

LIMIT = 30  # seconds for a row


class LeftOut(Exception):
    """Why a row is not run."""


def der_of(file):
    with open(file, encoding="ascii") as f:
        blocks = re.findall("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", f.read(), re.S)
    return [ssl.PEM_cert_to_DER_cert(block) for block in blocks]


def pem_of(der):
    body = base64.b64encode(der).decode()
    lines = [body[i:i + 64] for i in range(0, len(body), 64)]
    return "-----BEGIN CERTIFICATE-----\n" + "\n".join(lines) + "\n-----END CERTIFICATE-----\n"


def tlv(data, at):
    """Returns where the value of the DER element starts and ends."""
    length, start = data[at + 1], at + 2
    if length & 0x80:
        n = length & 0x7F
        length, start = int.from_bytes(data[start:start + n], "big"), start + n
    return start, start + length


def fields(der):
    """Returns the elements of a certificate's TBSCertificate, from the serial number on."""
    at, end = tlv(der, tlv(der, 0)[0])
    found = []
    while at < end:
        _, after = tlv(der, at)
        if der[at] != 0xA0:  # the version
            found.append(der[at:after])
        at = after
    return found


def escape(text):
    return urllib.parse.quote(text, safe="-_.~")


def encode(form, ders):
    texts = [base64.b64encode(der).decode() for der in ders]
    pem = "".join(pem_of(der) for der in ders)
    digest = hashlib.sha256(ders[0]).hexdigest()
    strings = [json.dumps(pem_of(der)) for der in ders]
    forms = {
        "base64": lambda: base64.b64encode(b"".join(ders)).decode(),
        "base64-concatenated": lambda: base64.b64encode(b"".join(ders)).decode(),
        "base64url": lambda: base64.urlsafe_b64encode(b"".join(ders)).decode(),
        "base64-list": lambda: ",".join(texts),
        "byte-sequence": lambda: ", ".join(":" + t + ":" for t in texts),
        "byte-sequence-list": lambda: ", ".join(":" + t + ":" for t in texts),
        "pem": lambda: pem,
        "url-pem": lambda: escape(pem),
        "url-pem-safe": lambda: re.sub("%2B|%2F|%3D", lambda m: urllib.parse.unquote(m[0]), escape(pem)),
        "spaced-pem": lambda: pem.removesuffix("\n").replace("\n", " "),
        "xfcc": lambda: f'Hash={digest};Cert="{escape(pem_of(ders[0]))}";Chain="{escape(pem)}"',
        "xfcc-json": lambda: f'[{{"hash":"{digest}","cert":{strings[0]},"chain":[{",".join(strings)}]}}]',
        "hex": lambda: b"".join(ders).hex(),
        "base64-pem": lambda: base64.b64encode(pem.encode()).decode(),
        "base64-key": lambda: base64.b64encode(fields(ders[0])[5]).decode(),
        "sha256": lambda: digest,
        "sha1": lambda: hashlib.sha1(ders[0]).hexdigest(),
        "serial": lambda: format(int.from_bytes(fields(ders[0])[0][2:], "big"), "x"),
    }
    forms["url-pem-safe-chain"] = forms["url-pem-safe"]
    if form not in forms:
        raise LeftOut(f"this runner does not write the form {form}")
    return forms[form]()


def middle(what):
    return lambda s: s[:len(s) // 2] + what + s[len(s) // 2:]


def pad_bits(s):
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    body = s.rstrip("=:")
    if not s[len(body):].rstrip(":") or not body or body[-1] not in digits[:-1]:
        return s
    return body[:-1] + digits[digits.index(body[-1]) + 1] + s[len(body):]


def damage(s):
    for at in range(len(s) // 3, len(s)):
        if "B" <= s[at] <= "F":
            return s[:at] + chr(ord(s[at]) + 1) + s[at + 1:]
    return s


def add_byte(s):
    body = s.strip(":")
    try:
        return s.replace(body, base64.b64encode(base64.b64decode(body, validate=True) + b"\0").decode(), 1)
    except ValueError:
        return s


def last_dot(s):
    at = max(s.rfind("-"), s.rfind("_"))
    return s if at < 0 else s[:at] + "." + s[at + 1:]


def swaps(**pairs):
    return lambda s: re.sub("|".join(re.escape(k) for k in pairs), lambda m: pairs[m[0]], s)


FILTERS = {
    "underscore": lambda s: s.replace("-", "_"), "dot": lambda s: re.sub("[-_]", ".", s), "hyphen": lambda s: s.replace("_", "-"),
    "one-underscore": lambda s: s.replace("-", "_", 1), "last-dot": last_dot, "joined": lambda s: re.sub("[-_]", "", s),
    "lower": str.lower, "upper": str.upper, "swap-case": str.swapcase, "escape": escape,
    "escape-letters": lambda s: "".join(f"%{b:02X}" for b in s.encode()), "escape-percent": lambda s: s.replace("%", "%25"),
    "unescape": swaps(**{"%20": " ", "%2B": "+", "%2F": "/", "%3D": "=", "%0A": " "}),
    "lower-escapes": swaps(**{"%2B": "%2b", "%2F": "%2f", "%3D": "%3d"}),
    "plus-to-space": swaps(**{"%2B": "%20", "+": " "}), "spaces-to-plus": swaps(**{"%20": "+", " ": "+"}),
    "literal-newline": lambda s: s.replace("\n", "\\n"), "one-line": lambda s: s.replace("\n", ""), "lf-to-cr": lambda s: s.replace("%0A", "%0D"),
    "space": middle(" "), "tab": middle("\t"), "fold": middle("\r\n "), "lf": middle("\n"), "cr": middle("\r"), "nul": middle("\0"),
    "comma": middle(","), "equals": middle("="), "double-spaces": lambda s: s.replace(" ", "  "), "spaces-to-tabs": lambda s: s.replace(" ", "\t"),
    "base64url": lambda s: s.replace("+", "-").replace("/", "_"), "unpad": lambda s: s.replace("=", ""), "pad-bits": pad_bits,
    "truncate": lambda s: s[:max(0, len(s) - 4)], "cut-first": lambda s: s[1:], "damage": damage,
    "base64": lambda s: base64.b64encode(s.encode()).decode(), "add-byte": add_byte,
    "body-of-pem": lambda s: s.replace("-----BEGIN CERTIFICATE-----", "").replace("-----END CERTIFICATE-----", "").strip(),
    "no-colons": lambda s: s.strip(":"),
}

SAME = LeftOut("the row changes nothing here")


class Run:
    def __init__(self, table, options):
        self.rows, self.options = table["rows"], options
        found = [f for f in table["front_ends"] if f["name"] == options.front_end]
        if not found:
            sys.exit("forged.py: front ends: " + ", ".join(f["name"] for f in table["front_ends"]))
        self.front = found[0]
        url = urllib.parse.urlsplit(options.url)
        if url.scheme != "http" or url.hostname not in ("127.0.0.1", "::1", "localhost"):
            sys.exit("forged.py: forged requests are for your own service on this machine: http://127.0.0.1:PORT/PATH")
        self.address, self.path = ("127.0.0.1" if url.hostname == "localhost" else url.hostname, url.port or 80), url.path or "/"
        self.certificates = {}
        for text in options.client:
            name, _, files = text.partition("=")
            self.certificates[name] = [der for file in files.split(",") for der in der_of(file)]
        self.secret = options.secret.split("=", 1) if options.secret else None

    def certificate(self, name):
        if name not in self.certificates:
            raise LeftOut(f"there is no certificate {name}")
        return self.certificates[name][0]

    def value(self, ders):
        own = self.front["certificate"]
        whole = ders if own["format"] in ("base64-list", "url-pem-safe-chain", "xfcc", "xfcc-json") else ders[:1]
        return own.get("prefix", "") + encode(own["format"], whole) + own.get("suffix", "")

    def front_end_lines(self, ders, verdict, stranger):
        """What the front end writes for these certificates, leaf first."""
        front, lines = self.front, []
        own, chain, digest = front["certificate"], front.get("chain"), front.get("fingerprint")
        if ders:
            lines.append([own["header"], self.value(ders)])
        elif "none" in own:
            lines.append([own["header"], own["none"]])
        if chain:
            form, rest = chain["format"], ders[1:]
            if form.endswith("-numbered"):
                name = (lambda i: chain["header"] + str(i)) if form == "spaced-pem-numbered" else (lambda i: f'{chain["header"]}_{i}')
                lines += [[name(i), encode(form.removesuffix("-numbered"), [der])] for i, der in enumerate(rest)]
                lines += [[name(i), chain["none"]] for i in range(len(rest), chain.get("count", 0)) if "none" in chain]
            elif rest:
                lines.append([chain["header"], encode(form, rest)])
            elif ders and "empty" in chain or not ders and "none" in chain:
                lines.append([chain["header"], chain["empty" if ders else "none"]])
        lines += [[f["header"], f[verdict]] for f in front.get("flags", []) if verdict in f]
        if digest and ders:
            lines.append([digest["header"], encode(digest["hash"], ders)])
        elif digest and "none" in digest:
            lines.append([digest["header"], digest["none"]])
        return lines + ([] if stranger else front.get("evidence", []))

    def text(self, template):
        return re.sub(r"\{\{|\{([^}]*)\}", lambda m: "{" if m[0] == "{{" else self.expression(m[1]), template)

    def expression(self, text):
        term, *filters = text.split("|")
        value = self.term(term)
        for name in filters:
            changed = FILTERS[name](value)
            if changed == value:
                raise SAME
            value = changed
        return value

    def term(self, text):
        name, _, argument = text.partition(":")
        front, (key, _, number) = self.front, text.partition(".")
        if name == "path":
            return self.path
        if name == "host":
            return self.options.host
        if name == "exempt":
            if not self.options.exempt:
                raise LeftOut("no path is exempt")
            return self.options.exempt
        if name == "headers":
            return "".join(f"{header}: {value}\r\n" for header, value in self.front_end_lines(self.certificates["genuine"], "success", False))
        if name == "repeat":
            what, _, times = argument.rpartition(":")
            return what * int(times)
        if name in ("secret", "secret-value"):
            if not self.secret:
                raise LeftOut("the front end has no secret")
            return self.secret[name == "secret-value"]
        if key == "certificate":
            return front["certificate"]["header"]
        if key in ("chain", "fingerprint"):
            if key not in front or not getattr(self.options, key) or front[key].get("format", "").endswith("-numbered"):
                raise LeftOut(f"the service reads no {key}")
            return front[key]["header"]
        if key in ("evidence", "flag", "success", "failure", "none"):
            entries = front.get("evidence" if key == "evidence" else "flags", [])
            if int(number) >= len(entries):
                raise LeftOut("the front end writes no such header")
            entry = entries[int(number)]
            if key == "evidence":
                return entry[0]
            if key != "flag" and key not in entry:
                raise LeftOut("the flag is left out then")
            return entry["header" if key == "flag" else key]
        ders = [self.certificate(one) for one in name.split(",")]
        if argument:
            return encode(argument, ders)
        own = front["certificate"]
        return own.get("prefix", "") + encode(own["format"], ders) + own.get("suffix", "")

    def render(self, row, request, last):
        """Returns who sends the request, and its bytes."""
        if "part" in request:
            raise LeftOut("this runner makes no batches")
        sender = request.get("sender", row.get("sender", "front end"))
        stranger = sender == "stranger"
        if request.get("bare") and self.options.speaks_http2:
            raise LeftOut("HTTP/2 without TLS is the service's own")
        forwarded = request.get("forwarded", "genuine" if "certificate" in request else "none")
        ders, verdict = [], "none"
        if forwarded != "none":
            self.certificate(forwarded)
            ders, verdict = self.certificates[forwarded], "success"
            if forwarded not in ("genuine", "other"):
                ders = ders[:1]
        lines = self.front_end_lines(ders, request.get("flags", verdict), stranger)
        own = self.front["certificate"]["header"]
        if "certificate" in request:
            value = self.text(request["certificate"])
            if value == self.value(ders):
                raise SAME
            lines = [[own, value]] + [line for line in lines if line[0].lower() != own.lower()]
        if self.secret and not stranger:
            lines = lines + [self.secret]
        for template in request.get("without", []):
            name = self.text(template).lower()
            if name not in [line[0].lower() for line in lines]:
                raise SAME
            lines = [line for line in lines if line[0].lower() != name]

        def pairs(key):
            fold = lambda name: re.sub("[_.]", "-", name.lower())
            if any(fold(name) == fold(own) for name, _ in request.get(key, [])):
                raise SAME
            return [[self.text(name), self.text(value)] for name, value in request.get(key, [])]

        lines, trailers = pairs("before") + lines + pairs("after"), pairs("trailers")
        target, body = self.text(request.get("target", "{path}")), self.text(request.get("body", ""))
        has = lambda name: name in [line[0].lower() for line in lines]
        preface = "".join(chr(ord(c) & 0xFF) for c in request.get("preface", ""))
        if request.get("bare"):
            return sender, preface.encode("latin-1")
        if body and not trailers and not has("content-length") and not has("transfer-encoding"):
            lines.append(["Content-Length", str(len(body))])
        text = f'{preface}{request.get("method", self.options.method)} {target} {request.get("version", "HTTP/1.1")}\r\n'
        if not has("host"):
            text += f"Host: {self.options.host}\r\n"
        text += "".join(f"{name}: {value}\r\n" for name, value in lines)
        if last and not has("connection"):
            text += "Connection: close\r\n"
        if not trailers:
            return sender, (text + "\r\n" + body).encode("latin-1", "replace")
        text += "Transfer-Encoding: chunked\r\n"
        if not request.get("unannounced"):
            text += "".join(f"Trailer: {name}\r\n" for name, _ in trailers)
        text += "\r\n4\r\nbody\r\n0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers) + "\r\n"
        return sender, text.encode("latin-1", "replace")

    def send(self, row):
        """Returns the answer to each request: the status, 0 if there is none and None after a timeout; the body; and whether it is the last."""
        if row.get("transport") == "http2":
            raise LeftOut("this runner does not speak HTTP/2")
        requests = row["requests"]
        wires = [self.render(row, request, i == len(requests) - 1 or "concurrent" in row) for i, request in enumerate(requests)]
        if not row.get("concurrent"):
            return self.send_once(row, wires)
        copies, connections, until = wires * row["concurrent"], [], time.monotonic() + 1
        try:
            with contextlib.suppress(OSError):  # the service limits its connections, or its queue is full
                while len(connections) < len(copies) and (rest := until - time.monotonic()) > 0:
                    connections.append(socket.create_connection(self.address, rest))
            if len(connections) < len(wires):
                raise LeftOut("the service takes too few connections at the same time")
            ready = threading.Barrier(len(connections))
            with concurrent.futures.ThreadPoolExecutor(len(connections)) as pool:
                answers = list(pool.map(lambda wire, connection: self.send_last(connection, wire[1], ready), copies, connections))
        finally:
            for connection in connections:
                connection.close()
        wrong = lambda i, answer: self.gets_in(answer) != (requests[i].get("expect") == "accepted")
        return [next((a for a in answers[i::len(wires)] if wrong(i, a)), answers[i]) for i in range(len(wires))]

    def send_last(self, connection, data, ready):
        """Sends the last byte of a request at the same time as others do."""
        connection.settimeout(LIMIT)
        with contextlib.suppress(OSError):
            connection.sendall(data[:-1])
        ready.wait()
        with contextlib.suppress(OSError):
            connection.sendall(data[-1:])
        with connection.makefile("rb") as stream:
            return self.answer(stream)

    def send_once(self, row, wires):
        requests, answers, connection, stream = row["requests"], [], None, None
        try:
            for i, (sender, data) in enumerate(wires):
                if connection is None or requests[i].get("new_connection"):
                    if connection:
                        connection.close()
                    source = (self.options.stranger, 0) if sender == "stranger" else None
                    try:
                        connection = socket.create_connection(self.address, LIMIT, source)
                    except OSError as err:
                        if sender == "stranger":
                            raise LeftOut(f"this machine has no address {self.options.stranger}") from err
                        raise
                    stream = connection.makefile("rb")
                if row.get("pipelined"):
                    data = b"".join(data for _, data in wires) if i == 0 else b""
                with contextlib.suppress(OSError):  # it has answered before it has read everything
                    connection.sendall(data)
                answers.append(self.answer(stream))
        finally:
            if connection:
                connection.close()
        return answers

    def answer(self, stream):
        try:
            while True:
                start = stream.readline()
                if re.match(rb"\x00\x00.\x04", start, re.S):
                    return 101, b"", False  # a SETTINGS frame: the connection speaks HTTP/2 now
                found = re.match(rb"HTTP/1\.[01] (\d\d\d)", start)
                if not found:
                    return 0, b"", True
                status, length, chunked, last, body = int(found[1]), None, False, False, b""
                while (line := stream.readline().strip().lower()):
                    name, _, value = line.partition(b":")
                    if name == b"content-length":
                        length = int(value)
                    chunked = chunked or name == b"transfer-encoding" and b"chunked" in value
                    last = last or name == b"connection" and b"close" in value
                if status >= 200 or status == 101:
                    break
            if status == 101:
                return status, b"", False
            while chunked and (size := int(stream.readline().split(b";")[0] or b"0", 16)):
                body += stream.read(size + 2)[:-2]
            if chunked:
                stream.readline()
            elif length:
                body = stream.read(length)
            return status, body, last
        except TimeoutError:
            return None, b"", True
        except (OSError, ValueError):
            return 0, b"", True

    def gets_in(self, answer):
        status = answer[0]
        return bool(status) and (status // 100 in (2, self.admitted // 100) or self.shows_content(answer))

    def shows_content(self, answer):
        status, body, _ = answer
        return bool(status) and (status == 101 or bool(self.content) and body.strip().endswith(self.content))

    def all(self):
        genuine = {"requests": [{"forwarded": "genuine", "expect": "accepted"}]}
        self.admitted, body, _ = self.send(genuine)[0]
        if not self.admitted or self.admitted // 100 not in (2, 3):
            print(f"the client does not get in, so the table proves nothing: the answer is {self.admitted}")
            return 2
        self.content = body.strip()
        refused, wrong, left = 0, [], collections.Counter()
        for row in self.rows:
            words = [self.front["name"], self.front["certificate"]["format"]] + (["tunnels"] if self.options.tunnels else [])
            if row.get("for") and not set(words) & set(row["for"]) or set(words) & set(row.get("except", [])):
                continue
            try:
                answers = self.send(row)
            except LeftOut as why:
                left[str(why)] += 1
                continue
            over, harmless = False, row["requests"][0].get("expect") == "harmless"
            if harmless and (not self.content or answers[0][0] != 101 and self.shows_content(answers[0])):
                left["the answer for everybody cannot be told from that for the client"] += 1
                continue
            for request, answer in zip(row["requests"], answers):
                accepted, status = request.get("expect") == "accepted", answer[0]
                gets_in = self.gets_in(answer)
                if request.get("expect") in ("harmless", "another"):
                    gets_in = self.shows_content(answer)
                if status is None:
                    wrong.append(f'"{row["name"]}" is not answered')
                elif gets_in and not accepted:
                    wrong.append(f'"{row["name"]}" GOT IN, answer {status}: {row["why"]} {row.get("origin", [])}')
                elif accepted and not gets_in and not (over and status == 0 and not request.get("new_connection")):
                    wrong.append(f'"{row["name"]}" is refused, though it is genuine, answer {status}')
                elif not accepted:
                    refused += 1
                over = answer[2]
        if not self.gets_in(self.send(genuine)[0]):
            wrong.append("the client does not get in behind the table")
        for why, n in sorted(left.items()):
            print(f"left out: {n} where {why}")
        for text in wrong:
            print(text)
        print(f"{self.front['name']}: {refused} forged requests refused, {len(wrong)} rows wrong")
        return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="http://127.0.0.1:PORT/PATH of what asks for a certificate")
    parser.add_argument("--table", default=os.path.join(os.path.dirname(os.path.abspath(__file__)), "forged.json"))
    parser.add_argument("--front-end", required=True)
    parser.add_argument("--client", action="append", required=True, metavar="NAME=FILE[,FILE]", help="a certificate of FORGED.md, with what is sent along")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--exempt", default="", help="a path at which GET asks for no certificate")
    parser.add_argument("--host", default="app.example", help="the host that the service is called by")
    parser.add_argument("--tunnels", action="store_true", help="a proxy before the service makes a tunnel of the connection after a request with Upgrade")
    parser.add_argument("--secret", default="", metavar="HEADER=VALUE", help="by which the service knows the front end")
    parser.add_argument("--stranger", default="127.0.0.2", help="the address of those who are not the front end")
    parser.add_argument("--chain", action="store_true", help="the service reads the chain's header")
    parser.add_argument("--fingerprint", action="store_true", help="the service reads the fingerprint's header")
    parser.add_argument("--speaks-http2", action="store_true", help="the service itself speaks HTTP/2 without TLS")
    options = parser.parse_args()
    if not options.client[0].startswith("genuine="):
        parser.error("the first --client is genuine=FILE")
    with open(options.table, encoding="utf-8") as file:
        table = json.load(file)
    if table["schema"] != 1:
        parser.error(f'schema {table["schema"]} is not known')
    return Run(table, options).all()


if __name__ == "__main__":
    sys.exit(main())
