package forwarded_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/certauth"
	"github.com/seed2886b8ae/go-certauth/certauth/certauthtest"
	"github.com/seed2886b8ae/go-certauth/certauth/forwarded"
)

const xfcc = "X-Forwarded-Client-Cert"

// elements are the values that an Envoy writes in these tests.
type elements struct {
	hash, cert, good string // of the client
	victim           string // a whole element of another client, whom the policy also accepts
	victimPEM        string
}

func newElements(t *testing.T, p partner) elements {
	t.Helper()
	victim := p.ca.Issue(t, "victim").Certificate
	return elements{
		hash: "Hash=" + thumbprint(p.client.Raw), cert: `Cert="` + asURL(p.client.Certificate) + `"`, good: asXFCC(p.client.Certificate),
		victim: asXFCC(victim), victimPEM: asURL(victim),
	}
}

// judgeElements judges with Envoy and, for a single element, with ContainerApps.
func judgeElements(t *testing.T, p partner, source certauth.Source, table map[string]string, want certauth.Reason) {
	t.Helper()
	s := newStand(t, certauth.Config{Source: source, Policy: p.chain()})
	for name, value := range table {
		t.Run(name, func(t *testing.T) {
			id := s.judge(t, func() *http.Request {
				r := named("Envoy").request(p.client.Certificate)
				put(xfcc, value)(r)
				return r
			}, want)
			if id != nil {
				assert.Equal(t, "orders", id.Leaf.Subject.CommonName)
			}
		})
	}
}

func oneElement(t *testing.T, p partner, table map[string]string, want certauth.Reason) {
	t.Helper()
	for _, source := range []certauth.Source{forwarded.Envoy{From: fromTens()}, forwarded.ContainerApps{From: fromTens()}, forwarded.Envoy{From: fromTens(), Hops: 1}} {
		judgeElements(t, p, source, table, want)
	}
}

// cca #229, #230; openbao PR #2863; envoy#32945: a separator inside quotes is text, and text
// outside never becomes another identity. Rows 43 and 44.
func TestDecode_XFCCSplitsOnlyOutsideQuotes(t *testing.T) {
	p := newPartner(t)
	e := newElements(t, p)
	oneElement(t, p, map[string]string{
		"row 43 a Cert inside the subject": e.good + `;Subject="x;Cert=\"` + e.victimPEM + `\""`, "row 43 and in front of the real one": e.hash + `;Subject="x;Cert=\"` + e.victimPEM + `\"";` + e.cert,
		"a whole element inside the subject": e.good + `;Subject="x,` + strings.ReplaceAll(e.victim, `"`, `\"`) + `"`, "separators inside the subject": e.good + `;Subject=",;=,;="`, "separators inside By": `By="spiffe://a,b;c=d";` + e.good,
		"separators inside URI and DNS": e.good + `;URI="a,b;c";DNS="d,e"`, "an empty subject": e.good + `;Subject=""`, "an empty URI": e.good + ";URI=", "an escaped quote at both ends": e.good + `;Subject="\"x\""`,
	}, certauth.ReasonNone)
	refused := map[string]string{
		"row 43 a quote in the middle of a value": e.good + `;Subject=a"b"`, "row 43 a quote in the middle of a key": e.good + `;Sub"ject=a`, "row 43 a quote that does not close": e.good + `;Subject="a`, "row 43 a quote that opens too late": e.good + `;Subject= "a"`,
		"row 43 text after a closing quote": e.good + `;Subject="a"b`, "row 43 two quoted texts": e.good + `;Subject="a""b"`, "a space behind a closing quote": e.good + `;Subject="a" ;DNS=b`, "a space in front of a key": e.good + "; DNS=b", "a single-quoted value": e.good + ";Subject='a b'",
		"row 44 URI with a pair": e.good + `;URI=spiffe://a;Cert="` + e.victimPEM + `"`, "row 44 URI with a pair of an unknown key": e.good + ";URI=spiffe://a;b=c/d,e", "DNS with a pair": e.good + `;DNS=a;Hash=` + strings.Repeat("0", 64),
	}
	oneElement(t, p, refused, certauth.ReasonCertificateMalformed)
	injected := map[string]string{
		"row 44 URI with an element": e.good + ";URI=spiffe://a,By=x;" + e.victim, "row 44 URI with an element in front of DNS": e.good + ";URI=spiffe://a," + e.victim + ";DNS=orders.partner.example",
		"row 44 DNS with an element": e.good + ";DNS=a," + e.victim, "row 44 URI that brings quotes of its own": e.good + `;URI="x",By=x;` + e.victim, "row 44 DNS that brings quotes of its own": e.good + `;DNS="",` + e.victim, "row 44 URI with two elements": e.good + ";URI=spiffe://a,By=x;" + e.victim + ",By=x;" + e.victim,
	}
	judgeElements(t, p, forwarded.Envoy{From: fromTens()}, injected, certauth.ReasonCertificateMalformed)
	judgeElements(t, p, forwarded.ContainerApps{From: fromTens()}, injected, certauth.ReasonCertificateMalformed)
	// If elements are counted from the right, an injected element would be the one that is read, so
	// an unquoted URI or DNS to its left is refused.
	t.Run("with one hop", func(t *testing.T) {
		judgeElements(t, p, forwarded.Envoy{From: fromTens(), Hops: 1}, injected, certauth.ReasonCertificateMalformed)
	})
	t.Run("with two hops", func(t *testing.T) {
		table := map[string]string{}
		for name, value := range injected {
			table[name] = value + ",By=spiffe://sidecar;" + asXFCC(p.ca.Issue(t, "gateway").Certificate)
		}
		judgeElements(t, p, forwarded.Envoy{From: fromTens(), Hops: 2, By: []string{"spiffe://sidecar"}}, table, certauth.ReasonCertificateMalformed)
	})
}

// cca #229: a backslash consumes the next character, regardless of the characters before it. Row
// 43.
func TestDecode_XFCCBackslashConsumesItsNext(t *testing.T) {
	p := newPartner(t)
	e := newElements(t, p)
	oneElement(t, p, map[string]string{
		`row 43 a subject that ends in \\`: e.good + `;Subject="a\\"`, `\\ and then a pair`: `Subject="a\\";` + e.good, `\\ and then a quoted Cert inside`: e.good + `;Subject="a\\\";Cert=\"x"`, `four backslashes`: e.good + `;Subject="a\\\\"`,
		`a backslash in front of a letter`: e.good + `;Subject="\a"`, `a backslash in an unquoted value`: e.good + `;URI=spiffe://a\`,
	}, certauth.ReasonNone)
	oneElement(t, p, map[string]string{
		`\" at the end`: e.good + `;Subject="a\"`, `\\\" at the end`: e.good + `;Subject="a\\\"`, `a backslash as the last byte`: e.good + `;Subject="a\`, `\" and then a Cert that would be outside`: e.hash + `;Subject="a\";` + e.cert,
		`\\" closes, so this Cert is a second one`: e.good + `;Subject="a\\";Cert="` + e.victimPEM + `"`, `\\\\" closes, so this element is a second one`: e.good + `;Subject="a\\\\",` + e.victim + `;Foo="`,
	}, certauth.ReasonCertificateMalformed)
}

// alecholmes/xfccparser: the second Cert won. Only By, URI and DNS may repeat.
func TestDecode_XFCCRepeatedKeyIsRefused(t *testing.T) {
	p := newPartner(t)
	e := newElements(t, p)
	chain := `Chain="` + asURL(p.client.Certificate, p.ca.Certificate) + `"`
	oneElement(t, p, map[string]string{
		"row 45 two Hash": e.good + ";" + e.hash, "row 45 two Hash in other letters": e.good + ";" + strings.ToLower(e.hash), "row 45 two Cert": e.good + ";" + e.cert, "row 45 two Cert, the victim's": e.good + `;cERT="` + e.victimPEM + `"`,
		"two Chain": e.good + ";" + chain + ";" + chain, "two Subject": e.good + `;Subject="a";Subject="b"`, "two Subject, the same": e.good + `;Subject="a";subject="a"`, "two Issuer": e.good + `;Issuer="a";Issuer="b"`,
	}, certauth.ReasonCertificateMalformed)
	oneElement(t, p, map[string]string{
		"By, URI and DNS repeat": "By=a;By=b;" + e.good + ";URI=a;URI=b;DNS=a;DNS=b;dns=c", "Cert and Chain": e.good + ";" + chain, "Subject and Issuer": e.good + `;Subject="a";Issuer="b"`,
	}, certauth.ReasonNone)
}

// cca #206: Hash and Cert from different authors. Row 45.
func TestDecode_XFCCHashMustMatchTheCertificate(t *testing.T) {
	p := newPartner(t)
	e := newElements(t, p)
	sum := thumbprint(p.client.Raw)
	chain := func(text string) string { return `Chain="` + text + `"` }
	other := p.ca.Issue(t, "other").Certificate
	oneElement(t, p, map[string]string{
		"row 45 the Hash of another certificate": "Hash=" + thumbprint(other.Raw) + ";" + e.cert, "row 45 one digit short": "Hash=" + sum[1:] + ";" + e.cert, "row 45 one byte short": "Hash=" + sum[2:] + ";" + e.cert, "row 45 one byte long": "Hash=" + sum + "00;" + e.cert,
		"row 45 an empty Hash": "Hash=;" + e.cert, "row 45 an empty Hash, quoted": `Hash="";` + e.cert, "row 45 no Hash": e.cert, "row 45 Hash in colons": "Hash=" + colons(sum) + ";" + e.cert, "row 45 SHA-1": "Hash=" + digestSHA1(p.client.Certificate) + ";" + e.cert,
		"row 45 the hash of nothing": "Hash=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855;" + e.cert, "row 45 no digits": "Hash=" + strings.Repeat("zz", 32) + ";" + e.cert, "row 45 neither Cert nor Chain": e.hash, "row 45 neither, with names": e.hash + ";Subject=\"CN=orders\";URI=a",
		"row 45 an empty Cert": e.hash + `;Cert=""`, "row 45 an empty Chain": e.good + `;Chain=""`, "row 45 Chain that starts with another": e.good + ";" + chain(asURL(other, p.client.Certificate)), "row 45 Chain of the issuer alone": e.good + ";" + chain(asURL(p.ca.Certificate)),
		"row 45 Chain alone, its second certificate hashed": e.hash + ";" + chain(asURL(other, p.client.Certificate)), "row 45 Cert of another beside a Chain with that Hash": e.hash + `;Cert="` + asURL(other) + `";` + chain(asURL(p.client.Certificate)), "row 45 Cert that is two": e.hash + `;Cert="` + asURL(p.client.Certificate, p.ca.Certificate) + `"`,
	}, certauth.ReasonCertificateMalformed)
	oneElement(t, p, map[string]string{
		"row 45 Chain alone": e.hash + ";" + chain(asURL(p.client.Certificate, p.ca.Certificate)), "row 46 an upper-case hash": "Hash=" + strings.ToUpper(sum) + ";" + e.cert, "row 46 lower-case keys": strings.NewReplacer("Hash=", "hash=", "Cert=", "cert=").Replace(e.good),
		"row 46 one trailing semicolon": e.good + ";", "Cert in front of Hash": e.cert + ";" + e.hash, "a quoted Hash": `Hash="` + sum + `";` + e.cert,
	}, certauth.ReasonNone)
}

func colons(hex string) string {
	var pairs []string
	for i := 0; i < len(hex); i += 2 {
		pairs = append(pairs, hex[i:i+2])
	}
	return strings.Join(pairs, ":")
}

// Rows 47 and 50: no unknown keys, nothing empty, no other form of this header.
func TestPresets_XFCCHasOneGrammar(t *testing.T) {
	p := newPartner(t)
	e := newElements(t, p)
	oneElement(t, p, map[string]string{
		"row 47 an unknown key": e.good + ";Foo=1", "row 47 an empty key": e.good + ";=1", "row 47 a key without =": e.good + ";DNS", "row 47 a key alone": "Hash", "row 47 two semicolons": strings.Replace(e.good, ";", ";;", 1), "row 47 two semicolons at the end": e.good + ";;",
		"row 47 a semicolon in front": ";" + e.good, "row 47 a comma in front": "," + e.good, "row 47 a comma at the end": e.good + ",", "row 47 an empty element": e.good + ",," + e.good, "row 47 a semicolon alone": ";", "row 47 a comma alone": ",", "row 47 a space for an element": e.good + ", ",
		"row 47 a space around =": strings.Replace(e.good, "Hash=", "Hash = ", 1), "row 47 a colon for =": strings.Replace(e.good, "Hash=", "Hash:", 1), "row 50 JSON": `[{"hash":"` + thumbprint(p.client.Raw) + `"}]`, "row 50 a JSON object": `{"hash":"` + thumbprint(p.client.Raw) + `"}`,
		"row 50 base64 DER, as gorouter sends it": asList(p.client.Certificate), "row 50 percent-encoded PEM, as Kong sends it": asURL(p.client.Certificate), "a byte sequence": asSequences(p.client.Certificate), "quoted as a whole": `"` + strings.ReplaceAll(e.good, `"`, `\"`) + `"`,
		"Cert not percent-encoded": e.hash + `;Cert="` + asSpaced(p.client.Certificate) + `"`, "Cert in base64 DER": e.hash + `;Cert="` + asList(p.client.Certificate) + `"`, "names alone": `Subject="CN=orders";URI=spiffe://orders`,
	}, certauth.ReasonCertificateMalformed)
}

// envoy#6038; istio#33599, #50067; Istio's XfccAuthenticator: the leftmost element is the client's
// own text. Rows 48 and 49.
func TestTrust_ClientPrependedXFCCElementIsRefused(t *testing.T) {
	p := newPartner(t)
	e := newElements(t, p)
	gateway := asXFCC(certauthtest.SelfSigned(t, "gateway").Certificate)
	one := forwarded.Envoy{From: fromTens()}
	last := forwarded.Envoy{From: fromTens(), Hops: 1}
	second := forwarded.Envoy{From: fromTens(), Hops: 2, By: []string{"spiffe://sidecar"}}
	malformed := certauth.ReasonCertificateMalformed
	prepended := map[string]string{"row 48 the client's element first": e.victim + "," + e.good, "row 48 three of the client's": strings.Repeat(e.victim+",", 3) + e.good}
	judgeElements(t, p, one, prepended, malformed)
	judgeElements(t, p, forwarded.ContainerApps{From: fromTens()}, prepended, malformed)
	judgeElements(t, p, last, prepended, certauth.ReasonNone)
	judgeElements(t, p, second, map[string]string{
		"two hops": e.good + ",By=spiffe://sidecar;" + gateway, "row 48 two hops and the client's element first": e.victim + "," + e.good + ",By=spiffe://sidecar;" + gateway,
		"two hops, By after them": e.good + "," + gateway + ";By=spiffe://sidecar", "two hops, the last without a certificate": e.good + ",By=spiffe://sidecar;Hash=00",
		"two hops, names in both, as Istio writes them": e.good + ";URI=spiffe://orders;DNS=a,By=spiffe://sidecar;" + gateway + ";URI=spiffe://gateway",
	}, certauth.ReasonNone)
	judgeElements(t, p, second, map[string]string{
		"row 49 fewer elements than hops": e.good, "row 49 one element, with the By": "By=spiffe://sidecar;" + e.good, "row 49 another By on the right": e.good + ",By=spiffe://other;" + gateway, "row 49 By in other letters": e.good + ",By=spiffe://Sidecar;" + gateway,
		"row 49 no By on the right": e.good + "," + gateway, "row 49 two By on the right": e.good + ",By=spiffe://other;By=spiffe://sidecar;" + gateway, "row 49 two By on the right, ours first": e.good + ",By=spiffe://sidecar;By=spiffe://other;" + gateway, "row 49 By on the left": "By=spiffe://sidecar;" + e.good + "," + gateway, "a repeated key on the right": e.good + ",By=spiffe://sidecar;Hash=00;Hash=00",
	}, malformed)
	judgeElements(t, p, last, map[string]string{
		"row 49 the last element without Cert": e.victim + "," + e.hash, "row 49 the last element empty": e.good + ",", "row 49 the last element of names": e.good + `,Subject="CN=orders"`, "nonsense on the left": "x," + e.good,
		"raw names on the left": e.victim + ";URI=spiffe://a," + e.good, "raw names further left": e.victim + ";DNS=a," + e.victim + "," + e.good, "raw names on the left, in lower case": e.victim + ";uri=," + e.good, "quoted names on the left": e.victim + `;URI="a",` + e.good, "an unquoted subject on the left": e.victim + ";Subject=a," + e.good,
	}, malformed)
	t.Run("sixteen elements and one more", func(t *testing.T) {
		judgeElements(t, p, last, map[string]string{"16": strings.Repeat("By=a,", 15) + e.good}, certauth.ReasonNone)
		judgeElements(t, p, last, map[string]string{"17": strings.Repeat("By=a,", 16) + e.good, "many": strings.Repeat("By=a,", 5000) + e.good}, malformed)
	})
	for name, source := range map[string]forwarded.Envoy{
		"Hops: -1":  {From: fromTens(), Hops: -1},
		"Hops: 17":  {From: fromTens(), Hops: 17, By: strings.Split(strings.Repeat("a,", 15)+"a", ",")},
		"By: 0":     {From: fromTens(), Hops: 2},
		"By: 1":     {From: fromTens(), Hops: 1, By: []string{"a"}},
		"By: 2":     {From: fromTens(), By: []string{"a", "b"}},
		"By[1]: em": {From: fromTens(), Hops: 3, By: []string{"a", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := certauth.New(certauth.Config{Source: source, Policy: p.chain()})
			require.ErrorContains(t, err, fmt.Sprintf("Source: Envoy.%s", name))
		})
	}
}
