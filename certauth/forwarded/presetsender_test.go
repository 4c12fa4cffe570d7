package forwarded_test

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

// aliases returns spellings of a header that some layers treat as the same name. They are map keys
// without canonicalization, and do not include the form to which Go itself changes the name.
func aliases(name string) []string {
	words := strings.FieldsFunc(name, func(r rune) bool { return r == '-' || r == '_' })
	var list []string
	for _, separator := range []string{"-", "_", "."} {
		joined := strings.Join(words, separator)
		for _, spelling := range []string{joined, strings.ToLower(joined), strings.ToUpper(joined), http.CanonicalHeaderKey(joined)} {
			if spelling != http.CanonicalHeaderKey(name) {
				list = append(list, spelling)
			}
		}
	}
	return list
}

// Rows 1 to 7 and 14 to 17: which header counts, and which values count as absent.
func TestPresets_OneHeaderWithOneValue(t *testing.T) {
	p := newPartner(t)
	stranger := certauthtest.SelfSigned(t, "stranger").Certificate
	for _, d := range presets() {
		t.Run(d.name, func(t *testing.T) {
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			good := func() *http.Request { return d.request(p.client.Certificate) }
			genuine, forged := d.form.value(p.client.Certificate), d.form.value(stranger)
			alias := func(value string) func(*http.Request) {
				return func(r *http.Request) {
					for _, name := range aliases(d.header) {
						r.Header[name] = values(value)
					}
				}
			}
			own := func(r *http.Request) {
				r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{p.client.Certificate}}
			}
			none := d.without
			behind := certauth.ReasonCertificateMalformed
			if d.form.name == formSpaced.name { // finding R1: Apache's value ends in a space, and an HTTP/2 hop leaves it there
				behind = certauth.ReasonNone
			}
			rows := []row{
				{"row 00 the good request", nil, certauth.ReasonNone},
				{"row 01 twice, same value", put(d.header, genuine, genuine), certauth.ReasonCertificateMalformed},
				{"row 01 twice, the attacker's first", put(d.header, forged, genuine), certauth.ReasonCertificateMalformed},
				{"row 01 twice, the attacker's second", put(d.header, genuine, forged), certauth.ReasonCertificateMalformed},
				{"row 01 twice, one empty", put(d.header, "", genuine), certauth.ReasonCertificateMalformed},
				{"row 02 joined with a comma and a space", put(d.header, forged+", "+genuine), certauth.ReasonCertificateMalformed},
				{"row 03 only aliases", inOrder(none, alias(genuine)), certauth.ReasonCertificateMissing},
				{"row 04 the real one beside aliases", alias(forged), certauth.ReasonNone},
				{"row 05 only in a trailer", inOrder(none, func(r *http.Request) {
					r.Trailer = http.Header{http.CanonicalHeaderKey(d.header): values(genuine)}
				}), certauth.ReasonCertificateMissing},
				{"row 06 Connection names something else", put("Connection", "keep-alive, X-Other"), certauth.ReasonNone},
				{"row 07 the front end removed it after Connection", none, certauth.ReasonCertificateMissing},
				{"row 14 a TLS certificate and no header", inOrder(none, own), certauth.ReasonCertificateMissing},
				{"row 14 a TLS certificate and a header", own, certauth.ReasonSourceUntrusted},
				{"row 15 missing, and no other header either", func(r *http.Request) { r.Header = http.Header{} }, certauth.ReasonCertificateMissing},
				{"row 15 an empty value", inOrder(none, put(d.header, "")), certauth.ReasonCertificateMissing},
				{"row 15 spaces that no server trimmed", put(d.header, "   "), certauth.ReasonCertificateMalformed},
				{"row 15 a space in front that no server trimmed", put(d.header, " "+genuine), certauth.ReasonCertificateMalformed},
				{"row 15 a space behind that no server trimmed", put(d.header, genuine+" "), behind},
				{"row 17 one beside it", put(d.header, "(null)", genuine), certauth.ReasonCertificateMalformed},
			}
			if !d.form.many {
				rows = append(rows, row{"row 02 joined with a comma", put(d.header, genuine+","+genuine), certauth.ReasonCertificateMalformed})
			}
			for _, sentinel := range []string{"(null)", "null", "undefined", "-", "<nil>", "::", ":", "{http.request.tls.client.certificate_der_base64}", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"} {
				want := certauth.ReasonCertificateMalformed
				if sentinel == d.absent {
					want = certauth.ReasonCertificateMissing // row 16
				}
				rows = append(rows, row{"row 17 " + sentinel, inOrder(none, put(d.header, sentinel)), want})
			}
			names := headersOf(t, d.source(fromTens()))
			for _, pair := range d.beside {
				names = append(names, pair[0]) // what a gate reads counts as well
			}
			for _, name := range names {
				rows = append(rows,
					row{"row 06 Connection names " + name, put("Connection", name), certauth.ReasonCertificateMalformed},
					row{"row 06 Connection names " + name + " in other letters", put("Connection", "close, "+strings.ToUpper(name)), certauth.ReasonCertificateMalformed},
					row{"row 06 a second Connection line names " + name, put("Connection", "close", "\t"+strings.ToLower(name)+" ,"), certauth.ReasonCertificateMalformed},
				)
			}
			rows = append(rows, row{"row 06 Connection names it and it is gone", inOrder(none, put("Connection", d.header)), certauth.ReasonCertificateMalformed})
			s.judgeAll(t, good, rows)
			t.Run("row 04 the identity is that of the real one", func(t *testing.T) {
				r := good()
				alias(forged)(r)
				id, err := s.plain.Check(overSocket(t, r))
				require.NoError(t, err)
				assert.Equal(t, p.client.Raw, id.Leaf.Raw)
			})
		})
	}
}

// Rows 8 to 12: who sent the header.
func TestPresets_TheSenderIsAskedFirst(t *testing.T) {
	p := newPartner(t)
	front, impostor := certauthtest.SelfSigned(t, "front-end"), certauthtest.SelfSigned(t, "front-end")
	presenting := func(cert *x509.Certificate) func(*http.Request) {
		return func(r *http.Request) {
			r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
		}
	}
	remote := func(address string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = address } }
	for _, d := range presets() {
		t.Run(d.name, func(t *testing.T) {
			good := func() *http.Request { return d.request(p.client.Certificate) }
			none := d.without
			untrusted, missing := certauth.ReasonSourceUntrusted, certauth.ReasonCertificateMissing
			rows := []row{
				{"row 08 outside the list", remote("203.0.113.9:1"), untrusted},
				{"row 08 outside the list, nonsense in the header", inOrder(remote("203.0.113.9:1"), put(d.header, "?")), untrusted},
				{"row 08 outside the list, twice", inOrder(remote("203.0.113.9:1"), put(d.header, "a", "b")), untrusted},
				{"row 08 outside the list, Connection names it", inOrder(remote("203.0.113.9:1"), put("Connection", d.header)), untrusted},
				{"row 08 outside the list, without a certificate", inOrder(remote("203.0.113.9:1"), none), missing},
				{"row 09 IPv4 written as IPv6", remote("[::ffff:10.1.2.3]:1"), certauth.ReasonNone},
				{"row 09 with a zone", remote("[fe80::1%eth0]:1"), certauth.ReasonNone},
			}
			for _, address := range []string{"@", "", "10.0.0.1", "pipe"} {
				rows = append(rows, row{"row 08 RemoteAddr " + address, remote(address), untrusted})
			}
			for _, line := range []string{"X-Forwarded-For: 10.1.2.3", "X-Real-Ip: 10.1.2.3", "Forwarded: for=10.1.2.3"} {
				name, value, _ := strings.Cut(line, ": ")
				rows = append(rows, row{"row 10 " + line, inOrder(remote("203.0.113.9:1"), put(name, value)), untrusted})
			}
			newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()}).judgeAll(t, good, rows)

			keyed := func() *http.Request {
				r := good()
				r.Header["X-Gate"] = values(secret)
				return r
			}
			newStand(t, certauth.Config{Source: d.source(forwarded.SharedSecret("X-Gate", secret)), Policy: p.chain()}).judgeAll(t, keyed, []row{
				{"row 11 the secret", nil, certauth.ReasonNone},
				{"row 11 no secret", put("X-Gate"), untrusted},
				{"row 11 no secret and no certificate", inOrder(put("X-Gate"), none), missing},
				{"row 11 a wrong secret", put("X-Gate", "incorrect horse battery staple"), untrusted},
				{"row 11 the secret twice", put("X-Gate", secret, secret), untrusted},
				{"row 11 a space after it", put("X-Gate", secret+" "), untrusted},
				{"row 11 a prefix of it", put("X-Gate", secret[:len(secret)-1]), untrusted},
			})
			pin := forwarded.ProxyCertificate(certauth.Thumbprints{thumbprint(front.Raw)})
			newStand(t, certauth.Config{Source: d.source(pin), Policy: p.chain()}).judgeAll(t, good, []row{
				{"row 12 the front end's own certificate", presenting(front.Certificate), certauth.ReasonNone},
				{"row 12 and no header", inOrder(presenting(front.Certificate), none), missing},
				{"row 12 no peer certificate", nil, untrusted},
				{"row 12 another key of the same name", presenting(impostor.Certificate), untrusted},
				{"row 12 the client's own certificate", presenting(p.client.Certificate), untrusted},
			})
		})
	}
}
