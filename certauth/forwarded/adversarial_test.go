package forwarded_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// The rows of the adversarial list that apply to X-ARR-ClientCert. Each is passed through Check and
// through Handler in both modes. Row 20 is in the acceptance test, because net/http answers it.
func TestAdversarial(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	for _, group := range [][]attempt{headerRows(t, p), senderRows(t, p), encodingRows(t, p), derRows(t, p), policyRows(t, p)} {
		for _, a := range group {
			t.Run(a.name, func(t *testing.T) { a.run(t, p) })
		}
	}
}

func values(v ...string) []string { return v }

func headerRows(t *testing.T, p partner) []attempt {
	t.Helper()
	forged := certauthtest.SelfSigned(t, "stranger").Base64()
	connection := func(lines ...string) func(*http.Request) { return set("Connection", lines...) }
	alias := func(r *http.Request) {
		for _, name := range spellings {
			r.Header[name] = values(p.good)
		}
	}
	rows := []attempt{
		{name: "row 00 the good request", values: values(p.good), want: certauth.ReasonNone},
		{name: "row 01 twice, same value", values: values(p.good, p.good), want: certauth.ReasonCertificateMalformed},
		{name: "row 01 twice, the attacker's first", values: values(forged, p.good), want: certauth.ReasonCertificateMalformed},
		{name: "row 01 twice, the attacker's second", values: values(p.good, forged), want: certauth.ReasonCertificateMalformed},
		{name: "row 01 twice, one empty", values: values("", p.good), want: certauth.ReasonCertificateMalformed},
		{name: "row 01 twice, both empty", values: values("", ""), want: certauth.ReasonCertificateMalformed},
		{name: "row 02 joined with a comma and a space", values: values(forged + ", " + p.good), want: certauth.ReasonCertificateMalformed},
		{name: "row 02 joined with a comma", values: values(p.good + "," + p.good), want: certauth.ReasonCertificateMalformed},
		{name: "row 03 only aliases", change: alias, want: certauth.ReasonCertificateMissing},
		{name: "row 04 the real one beside aliases", values: values(p.good), change: func(r *http.Request) {
			for _, name := range spellings {
				r.Header[name] = values(forged)
			}
		}, want: certauth.ReasonNone},
		{name: "row 04 a forged one beside genuine aliases", values: values(forged), change: alias, want: certauth.ReasonChainUntrusted},
		{name: "row 05 only in a trailer", change: func(r *http.Request) { r.Trailer = http.Header{header: values(p.good)} }, want: certauth.ReasonCertificateMissing},
		{name: "row 06 Connection names it", values: values(p.good), change: connection("X-ARR-ClientCert"), want: certauth.ReasonCertificateMalformed},
		{name: "row 06 Connection names it in other letters", values: values(p.good), change: connection("close, x-aRr-cLIENTCERT"), want: certauth.ReasonCertificateMalformed},
		{name: "row 06 a second Connection line names it", values: values(p.good), change: connection("close", "\tx-arr-clientcert ,"), want: certauth.ReasonCertificateMalformed},
		{name: "row 06 Connection names it and it is gone", change: connection("X-ARR-ClientCert"), want: certauth.ReasonCertificateMalformed},
		{name: "row 06 Connection names the evidence", values: values(p.good), change: connection("X-ARR-LOG-ID"), want: certauth.ReasonCertificateMalformed},
		{name: "row 06 Connection names the evidence in another spelling", values: values(p.good), change: connection("close, x_arr.ssl "), want: certauth.ReasonCertificateMalformed},
		{name: "row 06 Connection is as long as an honest one may be", values: values(p.good), change: connection("x", strings.Repeat("x", 4<<10-1)), want: certauth.ReasonNone},
		{name: "row 06 Connection is longer", values: values(p.good), change: connection("x", strings.Repeat("x", 4<<10)), want: certauth.ReasonCertificateMalformed},
		{name: "row 06 Connection names something else", values: values(p.good), change: connection("keep-alive, X-ARR-Client"), want: certauth.ReasonNone},
		{name: "row 07 the front end removed it after Connection", want: certauth.ReasonCertificateMissing},
		{name: "row 15 an empty value", values: values(""), want: certauth.ReasonCertificateMissing},
		{name: "row 15 spaces that no server trimmed", values: values("   "), want: certauth.ReasonCertificateMalformed},
		{name: "row 15 a space at the end that no server trimmed", values: values(p.good + " "), want: certauth.ReasonCertificateMalformed},
	}
	for _, sentinel := range []string{"(null)", "null", "undefined", "-", "<nil>", "::", ":", "{http.request.tls.client.certificate_der_base64}"} {
		rows = append(rows, attempt{name: "row 17 " + sentinel, values: values(sentinel), want: certauth.ReasonCertificateMalformed})
	}
	return rows
}

func senderRows(t *testing.T, p partner) []attempt {
	t.Helper()
	from := forwarded.AppService{From: forwarded.Peers("10.0.0.0/8", "fd00::/8", "fe80::/64")}
	remote := func(address string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = address } }
	own := func(r *http.Request) {
		r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{p.client.Certificate}}
	}
	guarded := forwarded.AppService{From: forwarded.SharedSecret("X-Gate", secret)}
	rows := []attempt{
		{name: "row 08 a peer of the list", source: from, values: values(p.good), want: certauth.ReasonNone},
		{name: "row 08 outside it, without a certificate", source: from, change: remote("11.0.0.1:1"), want: certauth.ReasonCertificateMissing},
		{name: "row 09 IPv4 written as IPv6", source: from, values: values(p.good), change: remote("[::ffff:10.1.2.3]:1"), want: certauth.ReasonNone},
		{name: "row 09 with a zone", source: from, values: values(p.good), change: remote("[fe80::1%eth0]:1"), want: certauth.ReasonNone},
		{name: "row 11 the secret", source: guarded, values: values(p.good), change: set("X-Gate", secret), want: certauth.ReasonNone},
		{name: "row 13 no X-ARR-LOG-ID", values: values(p.good), change: set("X-Arr-Log-Id"), want: certauth.ReasonSourceUntrusted},
		{name: "row 13 no X-ARR-LOG-ID and no certificate", change: set("X-Arr-Log-Id"), want: certauth.ReasonCertificateMissing},
		{name: "row 13 X-ARR-LOG-ID twice", values: values(p.good), change: set("X-Arr-Log-Id", "a", "b"), want: certauth.ReasonSourceUntrusted},
		{name: "row 13 an empty X-ARR-LOG-ID", values: values(p.good), change: set("X-Arr-Log-Id", ""), want: certauth.ReasonSourceUntrusted},
		{name: "row 13 no X-ARR-SSL", values: values(p.good), change: set("X-Arr-Ssl"), want: certauth.ReasonSourceUntrusted},
		{name: "row 13 X-ARR-SSL twice", values: values(p.good), change: set("X-Arr-Ssl", "1|1|a|b", "1|1|a|b"), want: certauth.ReasonSourceUntrusted},
		{name: "row 13 X-AppService-Proto is http", values: values(p.good), change: set("X-Appservice-Proto", "http"), want: certauth.ReasonSourceUntrusted},
		{name: "row 13 X-AppService-Proto twice", values: values(p.good), change: set("X-Appservice-Proto", "https", "http"), want: certauth.ReasonSourceUntrusted},
		{name: "row 13 an empty X-AppService-Proto", values: values(p.good), change: set("X-Appservice-Proto", ""), want: certauth.ReasonSourceUntrusted},
		{name: "row 13 no X-AppService-Proto", values: values(p.good), change: set("X-Appservice-Proto"), want: certauth.ReasonNone},
		{name: "row 14 a TLS certificate and no header", change: own, want: certauth.ReasonCertificateMissing},
		{name: "row 14 a TLS certificate and a header", values: values(p.good), change: own, want: certauth.ReasonSourceUntrusted},
	}
	for _, ssl := range []string{"", "2048", "2048|256|a", "2048|256|a|b|c", "|256|a|b", "2048||a|b", "0x800|256|a|b", "-1|256|a|b", "+1|256|a|b", " 2048|256|a|b", "2048 |256|a|b", "٣|256|a|b", "20 48|256|a|b"} {
		rows = append(rows, attempt{name: "row 13 X-ARR-SSL " + ssl, values: values(p.good), change: set("X-Arr-Ssl", ssl), want: certauth.ReasonSourceUntrusted})
	}
	for _, address := range []string{"11.0.0.1:1", "9.255.255.255:1", "@", "", "10.0.0.1", "pipe", "10.0.0.1:http", "[::ffff:11.1.2.3]:1", "[fe80:0:0:1::1%eth0]:1", "fd00::1", "010.0.0.1:1", "10.0.0.1:1, 10.0.0.2:1"} {
		rows = append(rows, attempt{name: "row 08 RemoteAddr " + address, source: from, values: values(p.good), change: remote(address), want: certauth.ReasonSourceUntrusted})
	}
	for _, line := range []string{"X-Forwarded-For: 10.1.2.3", "X-Real-Ip: 10.1.2.3", "Forwarded: for=10.1.2.3", "Client-Ip: 10.1.2.3:1", "True-Client-Ip: 10.1.2.3", "X-Client-Ip: 10.1.2.3"} {
		name, value, _ := strings.Cut(line, ": ")
		rows = append(rows, attempt{name: "row 10 " + line, source: from, values: values(p.good), change: func(r *http.Request) {
			r.RemoteAddr = "203.0.113.9:1"
			r.Header.Set(name, value)
		}, want: certauth.ReasonSourceUntrusted})
	}
	for name, lines := range map[string][]string{
		"absent": nil, "empty": {""}, "wrong": {"incorrect horse battery staple"}, "right and twice": {secret, secret}, "right and wrong": {secret, "x"},
		"a space after it": {secret + " "}, "a prefix of it": {secret[:len(secret)-1]}, "longer": {secret + "s"}, "other letters": {strings.ToUpper(secret)}, "joined": {secret + ", " + secret},
	} {
		rows = append(rows, attempt{name: "row 11 secret " + name, source: guarded, values: values(p.good), change: set("X-Gate", lines...), want: certauth.ReasonSourceUntrusted})
	}
	return rows
}

func encodingRows(t *testing.T, p partner) []attempt {
	t.Helper()
	good := p.good
	der := p.client.Raw
	middle := len(good) / 2
	malformed := map[string]string{
		"row 18 one group over the limit": strings.Repeat("A", 16<<10+4), "row 18 1 MiB of A": strings.Repeat("A", 1<<20),
		"row 18 100 000 commas": strings.Repeat(",", 100_000), "row 18 100 000 BEGIN": strings.Repeat("-----BEGIN", 100_000),
		"row 18 exactly the limit, of A": strings.Repeat("A", 16<<10),
		"row 19 NUL":                     good[:middle] + "\x00" + good[middle+1:], "row 19 DEL": good[:middle] + "\x7f" + good[middle+1:], "row 19 BOM": "\ufeff" + good,
		"row 19 full-width plus": good[:middle] + "＋" + good[middle+1:], "row 19 CR": good[:middle] + "\r" + good[middle:], "row 19 LF": good[:middle] + "\n" + good[middle:],
		"row 19 LF at the end": good + "\n", "row 19 CR LF in front": "\r\n" + good, "row 19 four line ends": good[:middle] + "\r\n\r\n" + good[middle:],
		"row 21 obs-fold":   good[:64] + " " + good[64:],
		"row 22 = in front": "=" + good, "row 22 = in the middle": good[:middle] + "=" + good[middle+1:], "row 22 inner space": good[:middle] + " " + good[middle+1:],
		"row 22 inner tab": good[:middle] + "\t" + good[middle+1:], "row 22 trailing comma": good + ",", "row 22 ===": strings.TrimRight(good, "=") + "===", "row 22 only padding": "====",
		"row 22 one digit":        "M",
		"row 23 base64 of base64": base64.StdEncoding.EncodeToString([]byte(good)), "row 23 base64 of PEM": base64.StdEncoding.EncodeToString(p.client.PEM()),
		"row 23 base64 of a private key": strings.Join(strings.Split(strings.TrimSpace(string(p.client.KeyPEM(t))), "\n")[1:4], ""),
		"row 23 hex":                     hex.EncodeToString(der), "row 23 upper-case hex": strings.ToUpper(hex.EncodeToString(der)),
		"row 24 a byte after the DER":  base64.StdEncoding.EncodeToString(append(der[:len(der):len(der)], 0)),
		"row 24 two certificates":      base64.StdEncoding.EncodeToString(append(der[:len(der):len(der)], der...)),
		"row 24 one byte cut off":      base64.StdEncoding.EncodeToString(der[:len(der)-1]),
		"row 24 its header alone":      base64.StdEncoding.EncodeToString(der[:4]),
		"row 24 10 000 nested":         base64.StdEncoding.EncodeToString([]byte(strings.Repeat("\x30\x80", 6000))),
		"row 24 a length of 2^63":      base64.StdEncoding.EncodeToString([]byte("\x30\x88\x7f\xff\xff\xff\xff\xff\xff\xff\x02\x01\x01")),
		"row 24 a length in 126 bytes": base64.StdEncoding.EncodeToString([]byte("\x30\xfe" + strings.Repeat("\xff", 126))),
	}
	for _, name := range []string{"decode-base64url", "decode-base64url-unpadded", "decode-unpadded", "decode-pad-bits", "decode-over-padded", "decode-four-pads"} {
		malformed["row 22 "+name] = vectorValue(t, "appservice", name)
	}
	for name, folder := range map[string]string{"decode-pkcs7": "appservice", "decode-spki": "appservice", "not-a-certificate-pkcs12": "openssl", "not-a-certificate-csr": "openssl", "not-a-certificate-crl": "openssl"} {
		malformed["row 23 "+name] = vectorValue(t, folder, name)
	}
	for _, name := range []string{"decode-truncated", "decode-truncated-half", "decode-indefinite-length", "decode-length-overflow", "decode-length-overflow-64", "decode-long-length", "decode-nested"} {
		malformed["row 24 "+name] = vectorValue(t, "appservice", name)
	}
	var rows []attempt
	for name, value := range malformed {
		require.NotEqual(t, good, value, name)
		rows = append(rows, attempt{name: name, values: values(value), want: certauth.ReasonCertificateMalformed})
	}
	return rows
}

// Row 18, measured in bytes and allocations instead of time: the memory for a value that is too
// long does not grow with its length, in the certificate header or in another one.
func TestAdversarial_LongHeadersCostNoMemory(t *testing.T) {
	onAppService(t)
	p := newPartner(t)
	auth, err := certauth.New(certauth.Config{Source: forwarded.AppService{From: forwarded.SharedSecret("X-Gate", secret)}, Policy: p.chain()})
	require.NoError(t, err)
	const long = 1 << 20
	for name, change := range map[string]func(*http.Request){
		"letters":                    set(header, strings.Repeat("A", long)),
		"commas":                     set(header, strings.Repeat(",", long)),
		"BEGIN":                      set(header, strings.Repeat("-----BEGIN", long/10)),
		"padding":                    set(header, strings.Repeat("=", long)),
		"percent signs":              set(header, strings.Repeat("%2D", long/3)),
		"100 000 lines":              set(header, make([]string, 100_000)...),
		"X-ARR-SSL":                  set("X-Arr-Ssl", strings.Repeat("|", long)),
		"X-ARR-SSL, numbers":         set("X-Arr-Ssl", strings.Repeat("1", long)+"|1|a|b"),
		"X-AppService-Proto":         set("X-Appservice-Proto", strings.Repeat("s", long)),
		"X-AppService-Proto, spread": set("X-Appservice-Proto", strings.Split(strings.Repeat("s,", 10_000), ",")...),
		"Connection":                 set("Connection", strings.Repeat("a,", long/2)),
	} {
		t.Run(name, func(t *testing.T) {
			r := arriving(p.good)
			r.Header.Set("X-Gate", secret)
			change(r)
			r = overSocket(t, r)
			check := func() { _, _ = auth.Check(r) }
			assert.LessOrEqual(t, testing.AllocsPerRun(10, check), 256.0) // verifying a chain takes 180
			assert.LessOrEqual(t, bytesPerRun(10, check), uint64(16<<10))
		})
	}
}

func bytesPerRun(runs uint64, f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}
