package forwarded_test

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
)

// carrier is a way to send certificates in addition to the leaf: it sets the headers of a request.
type carrier struct {
	preset string
	send   func(r *http.Request, certs ...*x509.Certificate)
}

func carriers() []carrier {
	inLeaf := func(name string) carrier {
		d := named(name)
		return carrier{name, func(r *http.Request, certs ...*x509.Certificate) { put(d.header, d.form.value(certs...))(r) }}
	}
	beside := func(name, header string, value func(...*x509.Certificate) string) carrier {
		d := named(name)
		return carrier{name, func(r *http.Request, certs ...*x509.Certificate) {
			put(d.header, d.form.value(certs[0]))(r)
			if len(certs) > 1 {
				put(header, value(certs[1:]...))(r)
			}
		}}
	}
	numbered := func(name, header string) carrier {
		d := named(name)
		return carrier{name, func(r *http.Request, certs ...*x509.Certificate) {
			put(d.header, d.form.value(certs[0]))(r)
			for i, cert := range certs[1:] {
				put(fmt.Sprintf("%s%d", header, i), d.form.value(cert))(r)
			}
		}}
	}
	return []carrier{
		inLeaf("Traefik"), inLeaf("ALB passthrough"), inLeaf("Envoy"), inLeaf("Envoy JSON"), inLeaf("ContainerApps"),
		beside("RFC9440 chain", "Client-Cert-Chain", asSequences), beside("GoogleLB", "Client-Cert-Chain", asSequences), beside("Cloudflare RFC 9440", "Client-Cert-Chain", asSequences), beside("HAProxy", "X-SSL-Chain-Der", asConcatenated),
		numbered("Apache", "SSL_CLIENT_CERT_CHAIN_"), numbered("HAProxy numbered", "X-SSL-Chain_"),
	}
}

// Rows 18 (count) and 37 to 41: the first certificate is the client, the others are hints.
func TestPresets_ForwardedChains(t *testing.T) {
	root := certauthtest.NewCA(t, "Root")
	issuing := root.NewIntermediate(t, "Issuing")
	client := issuing.Issue(t, "orders").Certificate
	stranger := certauthtest.NewCA(t, "Attacker Root")
	strangerIssuing := stranger.NewIntermediate(t, "Issuing")
	forged := strangerIssuing.Issue(t, "orders").Certificate
	one, other := certauthtest.NewCA(t, "Loop A"), certauthtest.NewCA(t, "Loop B")
	crossed := []*x509.Certificate{one.NewIntermediate(t, "Loop B").Certificate, other.NewIntermediate(t, "Loop A").Certificate}
	looping := one.NewIntermediate(t, "Loop B").Issue(t, "orders").Certificate
	p := partner{ca: root, client: root.Issue(t, "billing")}
	issuer := issuing.Certificate
	var ten, alike []*x509.Certificate
	for range 8 {
		ten = append(ten, p.client.Certificate)
		alike = append(alike, root.NewIntermediate(t, "Issuing").Certificate)
	}
	chain := certauth.Chain{Roots: certauth.Certificates(root.Certificate)}
	untrusted, none, isCA := certauth.ReasonChainUntrusted, certauth.ReasonNone, certauth.ReasonCertificateIsCA
	for _, c := range carriers() {
		t.Run(c.preset, func(t *testing.T) {
			d := named(c.preset)
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: chain})
			configured := newStand(t, certauth.Config{
				Source: d.source(fromTens()), Policy: certauth.Chain{Roots: certauth.Certificates(root.Certificate), Intermediates: certauth.Certificates(issuer)},
			})
			pin := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: certauth.Thumbprints{thumbprint(client.Raw)}})
			for _, tc := range []struct {
				name  string
				stand *stand
				certs []*x509.Certificate
				want  certauth.Reason
			}{
				{"leaf and issuer", s, []*x509.Certificate{client, issuer}, none},
				{"leaf, issuer and root", s, []*x509.Certificate{client, issuer, root.Certificate}, none},
				{"row 18 ten certificates", s, append([]*x509.Certificate{client, issuer}, ten...), none},
				{"row 18 eleven certificates", s, append([]*x509.Certificate{client, issuer, issuer}, ten...), certauth.ReasonCertificateMalformed},
				{"row 18 twenty certificates", s, append(append([]*x509.Certificate{client, issuer, issuer, issuer}, ten...), ten...), certauth.ReasonCertificateMalformed},
				{"row 37 the issuer first, under a chain", s, []*x509.Certificate{issuer, client}, isCA},
				{"row 37 the issuer first, under a pin", pin, []*x509.Certificate{issuer, client}, certauth.ReasonPinMismatch},
				{"row 37 another client first, under a pin", pin, []*x509.Certificate{p.client.Certificate, client}, certauth.ReasonPinMismatch},
				{"row 39 the leaf repeated", s, []*x509.Certificate{client, client, issuer}, none},
				{"row 40 the attacker's root in the chain", s, []*x509.Certificate{forged, strangerIssuing.Certificate, stranger.Certificate}, untrusted},
				{"row 40 a cross-signed loop", s, append([]*x509.Certificate{looping, other.Certificate, one.Certificate}, crossed...), untrusted},
				{"row 40 unrelated certificates", s, []*x509.Certificate{client, stranger.Certificate, one.Certificate}, untrusted},
				{"row 40 look-alike intermediates", s, append([]*x509.Certificate{client}, alike...), untrusted},
				{"row 40 look-alikes beside the right one", s, append([]*x509.Certificate{client, issuer}, alike...), none},
				{"row 41 no chain, issuer configured", configured, []*x509.Certificate{client}, none},
				{"row 41 no chain, issuer not configured", s, []*x509.Certificate{client}, untrusted},
			} {
				t.Run(tc.name, func(t *testing.T) {
					id := tc.stand.judge(t, func() *http.Request {
						r := d.request(tc.certs[0])
						c.send(r, tc.certs...)
						return r
					}, tc.want)
					if id == nil {
						return
					}
					assert.Equal(t, client.Raw, id.Leaf.Raw)
					for _, cert := range id.Presented[1:] {
						assert.False(t, cert.Equal(client), "a copy of the leaf")
					}
				})
			}
		})
	}
}

// Row 38 and cca #187, #189: a mistake in one member makes the whole chain invalid.
func TestDecode_DamagedLeafIsNeverReplacedByTheNextInAChain(t *testing.T) {
	p := newPartner(t)
	damaged := *p.client.Certificate
	damaged.Raw = append([]byte(nil), p.client.Raw...)
	damaged.Raw[4] ^= 0xff // the tag of the TBSCertificate
	empty := x509.Certificate{Raw: []byte{0x30, 0}}
	for _, c := range carriers() {
		t.Run(c.preset, func(t *testing.T) {
			d := named(c.preset)
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			for name, certs := range map[string][]*x509.Certificate{
				"row 38 the first damaged, the second whole": {&damaged, p.client.Certificate}, "row 38 the first an empty SEQUENCE": {&empty, p.client.Certificate}, "the first damaged, alone": {&damaged},
				"the second damaged": {p.client.Certificate, &damaged}, "the last damaged": {p.client.Certificate, p.ca.Certificate, &damaged}, "the last an empty SEQUENCE": {p.client.Certificate, &empty},
			} {
				t.Run(name, func(t *testing.T) {
					s.judge(t, func() *http.Request {
						r := d.request(p.client.Certificate)
						c.send(r, certs...)
						return r
					}, certauth.ReasonCertificateMalformed)
				})
			}
		})
	}
}

// surplusBit returns base64 that decodes to a padded copy of the certificate, with a bit set beyond
// the last byte.
func surplusBit(t *testing.T, cert *x509.Certificate) string {
	t.Helper()
	certs := []*x509.Certificate{cert}
	for len(asConcatenated(certs...))%4 != 0 || !strings.HasSuffix(asConcatenated(certs...), "=") {
		certs = append(certs, cert)
		if len(certs) > 3 {
			return asConcatenated(cert)[:4] + "QR=="
		}
	}
	text := asConcatenated(certs...)
	body := strings.TrimRight(text, "=")
	return body[:len(body)-1] + string(nextDigit(body[len(body)-1])) + text[len(body):]
}

// Rows 34, 36, 38 and 42: how members are separated.
func TestPresets_MembersOfAChain(t *testing.T) {
	p := newPartner(t)
	client, ca := p.client.Certificate, p.ca.Certificate
	malformed, none := certauth.ReasonCertificateMalformed, certauth.ReasonNone
	one, two := asSequences(client), asSequences(ca)
	list := func(lines ...string) func(*http.Request) { return put("Client-Cert-Chain", lines...) }
	of := map[string][]row{
		"RFC9440 chain": {
			{"row 36 one member", list(two), none},
			{"row 36 an empty value beside the leaf", list(""), none},
			{"row 36 a comma alone between", list(two + "," + two), none},
			{"row 36 tab and space around the comma", list(two + " \t,\t " + two), none},
			{"row 36 three lines", list(two, two, two), none},
			{"row 36 two lines, one with two members", list(two+", "+two, two), none},
			{"row 36 an empty member", list(two + ",," + two), malformed},
			{"row 36 an empty member of spaces", list(two + ", ," + two), malformed},
			{"row 36 a trailing comma", list(two + ","), malformed},
			{"row 36 a leading comma", list("," + two), malformed},
			{"row 36 a comma alone", list(","), malformed},
			{"row 36 a chain without Client-Cert", inOrder(put("Client-Cert"), list(two)), malformed},
			{"row 36 a chain beside an empty Client-Cert", inOrder(put("Client-Cert", ""), list(two)), malformed},
			{"row 36 a damaged chain without Client-Cert", inOrder(put("Client-Cert"), list("x")), malformed},
			{"row 36 an empty chain without Client-Cert", inOrder(put("Client-Cert"), list("")), certauth.ReasonCertificateMissing},
			{"row 36 a member without colons", list(asList(ca)), malformed},
			{"row 36 a member with a parameter", list(two + ";a=1"), malformed},
			{"row 36 an inner list", list("(" + two + ")"), malformed},
			{"row 36 an empty byte sequence", list("::"), malformed},
			{"row 35 the leaf's header twice", put("Client-Cert", one, one), malformed},
			{"row 35 two members in Client-Cert", put("Client-Cert", one+", "+two), malformed},
		},
		"RFC9440": {{"the chain is not read unless Chain is set", list("?", "?"), none}},
		"Traefik": {
			{"row 42 two members", put("X-Forwarded-Tls-Client-Cert", asList(client, ca)), none},
			{"row 42 percent-encoded", put("X-Forwarded-Tls-Client-Cert", escape(asList(client, ca))), malformed},
			{"row 42 a space after the comma", put("X-Forwarded-Tls-Client-Cert", asList(client)+", "+asList(ca)), malformed},
			{"row 42 an empty member in the middle", put("X-Forwarded-Tls-Client-Cert", asList(client)+",,"+asList(ca)), malformed},
			{"row 42 an empty member at the end", put("X-Forwarded-Tls-Client-Cert", asList(client)+","), malformed},
			{"row 42 an empty first member", put("X-Forwarded-Tls-Client-Cert", ","+asList(client)), malformed},
		},
		"Apache": {
			{"row 34 numbers 0 and 2", inOrder(put("SSL_CLIENT_CERT_CHAIN_0", asSpaced(ca)), put("SSL_CLIENT_CERT_CHAIN_2", asSpaced(ca))), none},
			{"row 34 a gap in front of nonsense", inOrder(put("SSL_CLIENT_CERT_CHAIN_0", asSpaced(ca)), put("SSL_CLIENT_CERT_CHAIN_2", "?")), none},
			{"row 34 (null) ends the list", inOrder(put("SSL_CLIENT_CERT_CHAIN_0", asSpaced(ca)), put("SSL_CLIENT_CERT_CHAIN_1", "(null)")), none},
			{"row 34 (null) at once", put("SSL_CLIENT_CERT_CHAIN_0", "(null)"), none},
			{"a number twice", put("SSL_CLIENT_CERT_CHAIN_0", asSpaced(ca), asSpaced(ca)), malformed},
			{"nonsense in number 0", put("SSL_CLIENT_CERT_CHAIN_0", "?"), malformed},
		},
		"HAProxy numbered": {
			{"row 34 numbers 0 and 2", inOrder(put("X-SSL-Chain_0", asList(ca)), put("X-SSL-Chain_2", "?")), none},
			{"row 34 an empty number 1", inOrder(put("X-SSL-Chain_0", asList(ca)), put("X-SSL-Chain_1", ""), put("X-SSL-Chain_2", "?")), none},
			{"(null) in number 0", put("X-SSL-Chain_0", "(null)"), malformed},
			{"a number twice", put("X-SSL-Chain_0", asList(ca), asList(ca)), malformed},
			{"a hyphen for the underscore", put("X-SSL-Chain-0", "?"), none},
		},
		"HAProxy": {
			{"an empty chain", put("X-SSL-Chain-Der", ""), none},
			{"the chain twice", put("X-SSL-Chain-Der", asList(ca), asList(ca)), malformed},
			{"a list with a comma", put("X-SSL-Chain-Der", asList(ca, ca)), malformed},
			{"a surplus bit in the chain", put("X-SSL-Chain-Der", surplusBit(t, ca)), malformed},
			{"numbered headers beside it", put("X-SSL-Chain-Der_0", "?"), none},
		},
	}
	for name, rows := range of {
		t.Run(name, func(t *testing.T) {
			d := named(name)
			s := newStand(t, certauth.Config{Source: d.source(fromTens()), Policy: p.chain()})
			s.judgeAll(t, func() *http.Request { return d.request(client) }, rows)
		})
	}
	assert.True(t, strings.HasPrefix(one, ":"))
}
