package revocation_test

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"flag"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed2886b8ae/go-certauth/internal/ocsptest"
)

var updateVectors = flag.Bool("update-vectors", false, "make the lists and answers of testdata/revocation anew")

const (
	vectorAccepted    = "accepted"
	vectorRevoked     = "certificate_revoked"
	vectorUnknown     = "revocation_unknown"
	vectorUnavailable = "revocation_unavailable"
)

// vectorMaker writes one file for each call of one of its methods.
type vectorMaker struct {
	*scene
	t    *testing.T
	made []string
}

// delta returns a delta CRL that continues the lists from number from on. The base list has number
// 7.
func (m *vectorMaker) delta(from, number int64, entries ...ocsptest.Entry) ocsptest.List {
	l := m.list()
	l.Entries = entries
	l.ThisUpdate, l.NextUpdate = ocsptest.UTCAt(now.Add(-30*time.Minute)), ocsptest.UTCAt(now.Add(6*time.Hour))
	l.Extensions = []ocsptest.Extension{
		ocsptest.AuthorityKeyID(m.ca.cert.SubjectKeyId), ocsptest.CRLNumber(number), ocsptest.DeltaIndicator(from),
	}
	return l
}

// revocationVector is the input for a vector. Expect and fault follow RFC 5280 and RFC 6960, in the
// section that origin names.
type revocationVector struct {
	name, expect, fault, origin string
	rule                        string // words after not-revoked
	delta                       string
	client                      *identity
	issuing                     *identity // ca of the scene if nil
	along                       []*identity
	issuers                     []*identity
	files                       map[string][]byte // "get URL", "post URL", "list NAME"
}

func writeVectors(t *testing.T) {
	t.Helper()
	old, err := filepath.Glob(revocationVectors + "/*.txtar")
	require.NoError(t, err)
	for _, file := range old {
		require.NoError(t, os.Remove(file))
	}
	require.NoError(t, os.MkdirAll(revocationVectors, 0o750))
	m := &vectorMaker{scene: newScene(t), t: t}
	m.pointers()
	m.deltas()
	m.lists()
	m.scopes()
	m.listSigners()
	m.answers()
	m.responders()
	m.requests()
}

func (m *vectorMaker) write(v revocationVector) {
	m.t.Helper()
	require.NotContains(m.t, m.made, v.name)
	m.made = append(m.made, v.name)
	blocks := func(of ...*identity) string {
		var b bytes.Buffer
		for _, one := range of {
			require.NoError(m.t, pem.Encode(&b, &pem.Block{Type: "CERTIFICATE", Bytes: one.cert.Raw}))
		}
		return b.String()
	}
	if v.issuing == nil {
		v.issuing = m.ca
	}
	var b strings.Builder
	fmt.Fprintf(&b, "source: traefik\nexpect: %s\ntime: %s\norigin: %s\npolicy: chain\nrule: %s\n",
		v.expect, now.Format(time.RFC3339), v.origin, strings.TrimSpace("not-revoked "+v.rule))
	for key, value := range map[string]string{"fault": v.fault, "delta": v.delta} {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s\n", key, value)
		}
	}
	var sent []string
	for _, one := range append([]*identity{v.client}, v.along...) {
		sent = append(sent, base64.StdEncoding.EncodeToString(one.cert.Raw))
	}
	fmt.Fprintf(&b, "\n-- headers --\nX-Forwarded-Tls-Client-Cert: %s\n-- roots.pem --\n%s-- intermediates.pem --\n%s",
		strings.Join(sent, ","), blocks(m.root), blocks(v.issuing))
	if v.issuers != nil {
		fmt.Fprintf(&b, "-- issuers.pem --\n%s", blocks(v.issuers...))
	}
	var names []string
	for name := range v.files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "-- %s --\n", name)
		for line := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(v.files[name])), 76) {
			fmt.Fprintf(&b, "%s\n", line)
		}
	}
	require.NoError(m.t, os.WriteFile(filepath.Join(revocationVectors, v.name+".txtar"), []byte(b.String()), 0o600))
}

// issue makes a client that names the list at crlURL, and then applies the changes.
func (m *vectorMaker) issue(changes ...change) *identity {
	return makeCert(m.t, "client", newKey(m.t), m.ca, append([]change{asClient, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{crlURL} }}, changes...)...)
}

// asking makes a client that names the responder at ocspURL.
func (m *vectorMaker) asking() *identity {
	return m.issue(func(c *x509.Certificate) { c.CRLDistributionPoints, c.OCSPServer = nil, []string{ocspURL} })
}

// listed makes a vector with one complete list at the client's distribution point.
func (m *vectorMaker) listed(name, expect, fault, origin string, client *identity, list ocsptest.List) {
	m.write(revocationVector{name: name, expect: expect, fault: fault, origin: origin, rule: "crl", client: client, files: map[string][]byte{"get " + crlURL: encode(m.t, list)}})
}

// Pointers that cannot be used. A certificate with one names a source, so it does not count as
// naming none.
func (m *vectorMaker) pointers() {
	const points, access = "RFC 5280, 4.2.1.13", "RFC 5280, 4.2.2.1"
	at := func(uri string) change { return point(ocsptest.FullName(ocsptest.URI(uri))) }
	indirect := ocsptest.Element(ocsptest.Explicit(2), directory(m.root.cert.RawSubject))
	for _, p := range []struct {
		name, origin string
		with         change
	}{
		{"ldap", "AD CS by default, which publishes in the directory; " + points, at(ldapURL)},
		{"raw-space", "AD CS with a CA name of several words; " + points, at("http://pki.example/CertEnroll/Contoso Issuing CA.crl")},
		{"newline", "a template with a line break; " + points, at("http://pki.example/ca.crl\n")},
		{"ftp", "old public CAs; " + points, at("ftp://pki.example/ca.crl")},
		{"file", "AD CS with a share; " + points, at("file:////server/share/ca.crl")},
		{"no-scheme", points, at("pki.example/ca.crl")},
		{"directory-name", "eID and Entrust CAs; " + points, point(ocsptest.FullName(directory(m.root.cert.RawSubject)))},
		{"crl-issuer", "federal PKIs with indirect CRLs; " + points, point(uri("http://pki.example/all.crl"), indirect)},
		{"crl-issuer-alone", points, point(indirect)},
		{"responder-without-scheme", access, responderAt(ocsptest.URI("ocsp.pki.example"))},
		{"responder-behind-space", access, responderAt(ocsptest.URI(" http://ocsp.pki.example"))},
		{"responder-by-ldap", access, responderAt(ocsptest.URI("ldap://ocsp.pki.example"))},
		{"responder-directory-name", access, responderAt(directory(m.root.cert.RawSubject))},
	} {
		m.write(revocationVector{name: "pointer-" + p.name, expect: vectorUnavailable, fault: "source", origin: p.origin, rule: "no-source", client: m.issue(unpointed, p.with)})
	}
	m.write(revocationVector{name: "pointer-none", expect: vectorAccepted, origin: "small private CAs; " + points, rule: "no-source", client: m.issue(unpointed)})
	m.write(revocationVector{name: "pointer-none-strict", expect: vectorUnavailable, fault: "source", origin: "small private CAs; RFC 5280, 6.3", client: m.issue(unpointed)})
	sub := makeCert(m.t, "Sub CA", newKey(m.t), m.root, asCA, at(ldapURL))
	m.write(revocationVector{
		name: "pointer-ldap-of-the-intermediate", expect: vectorUnavailable, fault: "source", origin: "AD CS by default; " + points, rule: "no-source chain",
		client: makeCert(m.t, "client", newKey(m.t), sub, asClient), issuing: sub,
	})
}

// base makes the complete list number 7, to which the deltas belong.
func (m *vectorMaker) base(extensions []ocsptest.Extension, entries ...ocsptest.Entry) ocsptest.List {
	l := m.list(entries...)
	l.Extensions = append(l.Extensions, extensions...)
	return l
}

func (m *vectorMaker) deltas() {
	t := m.t
	const origin = "AD CS and other CAs with delta CRLs; RFC 5280, "
	named := []ocsptest.Extension{freshest(deltaURL)}
	hold, lifted, compromised := ocsptest.ReasonCode(6), ocsptest.ReasonCode(8), ocsptest.ReasonCode(1)
	one := func(name, expect, fault, section, delta string, client *identity, list ocsptest.List, deltas ...ocsptest.List) {
		v := revocationVector{name: "delta-" + name, expect: expect, fault: fault, origin: origin + section, rule: "crl", client: client, files: map[string][]byte{"get " + crlURL: encode(t, list)}}
		for _, d := range deltas {
			v.files["get "+deltaURL] = encode(t, d)
		}
		switch delta {
		case "missing":
			v.delta = "missing " + crlURL
		case "used":
			v.delta = "used " + crlURL + " " + deltaURL
		}
		m.write(v)
	}
	c := m.issue()
	one("without-entry", vectorAccepted, "", "5.2.4", "used", c, m.base(named), m.delta(7, 8))
	one("revokes", vectorRevoked, "", "6.3.3 (i)", "used", c, m.base(named), m.delta(7, 8, entryFor(c, compromised)))
	one("holds", vectorRevoked, "", "6.3.3 (i)", "used", c, m.base(named), m.delta(7, 8, entryFor(c, hold)))
	one("lifts-a-hold", vectorAccepted, "", "5.3.1", "used", c, m.base(named, entryFor(c, hold)), m.delta(7, 8, entryFor(c, lifted)))
	one("lifts-no-revocation-for-good", vectorRevoked, "", "5.3.1", "used", c, m.base(named, entryFor(c, compromised)), m.delta(7, 8, entryFor(c, lifted)))
	one("of-a-later-base", vectorAccepted, "", "5.2.4 (c)", "missing", c, m.base(named), m.delta(9, 10, entryFor(c, compromised)))
	one("not-newer-than-the-list", vectorAccepted, "", "5.2.4 (d)", "missing", c, m.base(named), m.delta(6, 7))
	one("down", vectorAccepted, "", "5.2.4", "missing", c, m.base(named))
	point := ocsptest.IssuingPoint(uri(crlURL))
	scoped := m.delta(7, 8, entryFor(c, compromised))
	scoped.Extensions = append(scoped.Extensions, point)
	one("of-another-scope", vectorAccepted, "", "5.2.4 (b)", "missing", c, m.base(named), scoped)
	one("of-the-same-scope", vectorRevoked, "", "5.2.4 (b)", "used", c, m.base(append([]ocsptest.Extension{point}, named...)), scoped)
	forged := m.delta(7, 8, entryFor(c, lifted))
	forged.Key = newKey(t)
	one("signed-by-a-stranger", vectorRevoked, "", "6.3.3 (h)", "", c, m.base(named, entryFor(c, hold)), forged)
	over := m.delta(7, 8)
	over.NextUpdate = ocsptest.UTCAt(now.Add(-10 * time.Minute))
	one("run-out", vectorAccepted, "", "6.3.3 (a)", "missing", c, m.base(named), over)
	over.Entries = []ocsptest.Entry{entryFor(c, compromised)}
	one("run-out-that-revokes", vectorUnavailable, "fresh", "6.3.3 (a)", "", c, m.base(named), over)
	one("in-place-of-the-list", vectorUnavailable, "scope", "5.2.4", "", c, m.delta(7, 8))
	at := m.issue(extra(freshest(deltaURL)))
	one("named-by-the-certificate", vectorRevoked, "", "4.2.1.15", "", at, m.base(nil), m.delta(7, 8, entryFor(at, compromised)))
	for name, location := range map[string][]byte{"ldap": ocsptest.URI(ldapURL), "directory-name": directory(m.ca.cert.RawSubject), "raw-space": ocsptest.URI("http://pki.example/Contoso CA+.crl")} {
		e := ocsptest.FreshestCRL(ocsptest.Point(ocsptest.FullName(location)))
		one(name+"-in-the-list", vectorAccepted, "", "5.2.6", "missing", c, m.base([]ocsptest.Extension{e}))
		one(name+"-in-the-certificate", vectorAccepted, "", "4.2.1.15", "missing", m.issue(extra(e)), m.base(nil))
	}
	m.write(revocationVector{
		name: "delta-in-a-file", expect: vectorRevoked, origin: origin + "5.2.4", rule: "crl", client: c, issuers: []*identity{m.ca},
		files: map[string][]byte{"get " + crlURL: encode(t, m.base(nil)), "list delta.crl": encode(t, m.delta(7, 8, entryFor(c, compromised)))},
	})
	m.write(revocationVector{
		name: "delta-and-list-in-files", expect: vectorAccepted, origin: origin + "5.3.1", rule: "crl", client: c, issuers: []*identity{m.ca},
		files: map[string][]byte{"list base.crl": encode(t, m.base(nil, entryFor(c, hold))), "list delta.crl": encode(t, m.delta(7, 8, entryFor(c, lifted)))},
	})
}

func (m *vectorMaker) lists() {
	t, c := m.t, m.issue()
	unknown := ocsptest.Extension{OID: []int{1, 3, 6, 1, 4, 1, 55555, 2}, Critical: true, Value: []byte{5, 0}}
	harmless := unknown
	harmless.Critical = false
	one := func(name, expect, fault, origin string, change func(*ocsptest.List), entries ...ocsptest.Entry) {
		l := m.list(entries...)
		if change != nil {
			change(&l)
		}
		m.listed("list-"+name, expect, fault, origin, c, l)
	}
	one("without-the-certificate", vectorAccepted, "", "RFC 5280, 6.3.3", nil)
	one("with-the-certificate", vectorRevoked, "", "RFC 5280, 6.3.3 (j)", nil, entryFor(c))
	one("with-a-hold", vectorRevoked, "", "RFC 5280, 5.3.1", nil, entryFor(c, ocsptest.ReasonCode(6)))
	one("without-entries", vectorAccepted, "", "RFC 5280, 5.1.2.6", func(l *ocsptest.List) { l.Entries = nil })
	one("with-an-empty-list-of-entries", vectorUnavailable, "form", "RFC 5280, 5.1.2.6: MUST be absent", func(l *ocsptest.List) { l.Entries, l.WithEmpty = nil, true })
	one("run-out", vectorUnavailable, "fresh", "RFC 5280, 6.3.3 (a)", func(l *ocsptest.List) {
		l.ThisUpdate, l.NextUpdate = ocsptest.UTCAt(now.Add(-2*day)), ocsptest.UTCAt(now.Add(-day))
	})
	one("of-tomorrow", vectorUnavailable, "fresh", "RFC 5280, 5.1.2.4", func(l *ocsptest.List) {
		l.ThisUpdate, l.NextUpdate = ocsptest.UTCAt(now.Add(day)), ocsptest.UTCAt(now.Add(2*day))
	})
	one("without-next-update", vectorUnavailable, "fresh", "RFC 5280, 5.1.2.5: MUST be there", func(l *ocsptest.List) { l.NextUpdate = nil })
	one("of-version-1", vectorUnavailable, "form", "openssl ca without crl_extensions; RFC 5280, 5.1.2.1: MUST be v2", func(l *ocsptest.List) { l.NoVersion, l.Extensions = true, nil })
	one("with-remove-from-crl", vectorUnavailable, "form", "RFC 5280, 5.3.1: only in delta CRLs", nil, entryFor(c, ocsptest.ReasonCode(8)))
	one("with-a-critical-extension", vectorUnavailable, "extension", "RFC 5280, 5.2", func(l *ocsptest.List) { l.Extensions = append(l.Extensions, unknown) })
	one("with-an-extension", vectorAccepted, "", "RFC 5280, 5.2", func(l *ocsptest.List) { l.Extensions = append(l.Extensions, harmless) })
	one("with-a-critical-extension-of-another-entry", vectorUnavailable, "extension", "RFC 5280, 5.3", nil, entryFor(m.other, unknown))
	one("with-an-extension-of-another-entry", vectorAccepted, "", "RFC 5280, 5.3", nil, entryFor(m.other, harmless))
	one("tampered-with", vectorUnavailable, "signature", "RFC 5280, 6.3.3 (g)", func(l *ocsptest.List) {
		l.Forge = func(tbs []byte) []byte { return bytes.Replace(tbs, []byte("\x02\x01\x07"), []byte("\x02\x01\x08"), 1) }
	})
	one("signed-with-sha1", vectorUnavailable, "algorithm", "RFC 6194, 3: not for new signatures", func(l *ocsptest.List) { l.Algorithm = ocsptest.ECDSA(crypto.SHA1) })
	der := encode(t, m.list())
	block := pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der})
	for name, content := range map[string][]byte{
		"pem": block, "pem-behind-a-blank-line": append([]byte("\n"), block...), "pem-behind-a-byte-order-mark": append([]byte("\xEF\xBB\xBF"), block...),
		"pem-behind-text": append([]byte("Certificate Revocation List (CRL):\n        Version 2 (0x1)\n"), block...),
	} {
		m.write(revocationVector{name: "list-" + name, expect: vectorAccepted, origin: "openssl crl -text and Windows tools; RFC 7468, 2", rule: "crl", client: c, files: map[string][]byte{"get " + crlURL: content}})
	}
	for name, content := range map[string][]byte{"in-two-pem-blocks": append(slices.Clone(block), block...), "with-a-byte-behind": append(slices.Clone(der), 0), "that-is-html": []byte("<!DOCTYPE html><title>Sign in</title>")} {
		m.write(revocationVector{name: "list-" + name, expect: vectorUnavailable, fault: "form", origin: "RFC 5280, 5.1", rule: "crl", client: c, files: map[string][]byte{"get " + crlURL: content}})
	}
}

func (m *vectorMaker) scopes() {
	t, c := m.t, m.issue()
	const section = "RFC 5280, 5.2.5"
	named := func(name []byte) []byte { return ocsptest.FullName(directory(name)) }
	reasons := func(n ...int) []byte { return ocsptest.Reasons(ocsptest.Context(3), n...) }
	one := func(name, expect, fault, origin string, list ocsptest.List) {
		m.listed("scope-"+name, expect, fault, origin, c, list)
	}
	one("of-the-distribution-point", vectorAccepted, "", "CAs with sharded lists; "+section, m.withPoint(uri(crlURL)))
	one("of-another-distribution-point", vectorUnavailable, "scope", "CAs with sharded lists; RFC 5280, 6.3.3 (b) (2) (i)", m.withPoint(uri("http://crl.partner.example/other.crl")))
	one("of-users", vectorAccepted, "", "RFC 5280, 6.3.3 (b) (2) (ii)", m.withPoint(ocsptest.Flag(1)))
	one("of-cas", vectorUnavailable, "scope", "RFC 5280, 6.3.3 (b) (2) (iii)", m.withPoint(ocsptest.Flag(2)))
	one("of-attribute-certificates", vectorUnavailable, "scope", "RFC 5280, 6.3.3 (b) (2) (iv)", m.withPoint(ocsptest.Flag(5)))
	one("empty", vectorUnavailable, "form", section+": MUST NOT be an empty sequence", m.withPoint())
	one("of-users-and-cas", vectorUnavailable, "form", section+": at most one", m.withPoint(ocsptest.Flag(1), ocsptest.Flag(2)))
	one("indirect", vectorUnavailable, "indirect", "federal PKIs; a direct list is wanted where the point names no cRLIssuer, RFC 5280, 6.3.3 (b) (1)", m.withPoint(ocsptest.Flag(4)))
	foreign := m.list(entryFor(m.other, ocsptest.Extension{OID: ocsptest.OIDCertificateIssuer, Critical: true, Value: ocsptest.Element(ocsptest.TagSequence, directory(m.root.cert.RawSubject))}))
	one("with-an-entry-of-another-issuer", vectorUnavailable, "extension", "RFC 5280, 5.3.3: in indirect CRLs alone", foreign)
	one("of-some-reasons", vectorUnavailable, "incomplete", "RFC 5280, 6.3.3: until all reasons are covered", m.withPoint(uri(crlURL), reasons(1, 2)))
	revoked := m.withPoint(uri(crlURL), reasons(1, 2))
	revoked.Entries = append(revoked.Entries, entryFor(c, ocsptest.ReasonCode(1)))
	one("of-some-reasons-with-the-certificate", vectorRevoked, "", "RFC 5280, 6.3.3 (j)", revoked)
	one("of-all-reasons", vectorAccepted, "", "RFC 5280, 6.3.3 (d)", m.withPoint(uri(crlURL), reasons(1, 2, 3, 4, 5, 6, 7, 8)))
	second := "http://crl.partner.example/second.crl"
	inPoint := func(n ...int) []byte { return ocsptest.Reasons(ocsptest.Context(1), n...) }
	split := m.issue(unpointed, extra(ocsptest.DistributionPoints(ocsptest.Point(uri(crlURL), inPoint(1, 2)), ocsptest.Point(uri(second), inPoint(3, 4, 5, 6, 7, 8)))))
	m.write(revocationVector{
		name: "scope-of-two-points-together", expect: vectorAccepted, origin: "RFC 5280, 6.3.3 (d)", rule: "crl", client: split,
		files: map[string][]byte{"get " + crlURL: encode(t, m.withPoint(uri(crlURL))), "get " + second: encode(t, m.withPoint(uri(second)))},
	})
	m.write(revocationVector{
		name: "scope-of-one-point-of-two", expect: vectorUnavailable, fault: "incomplete", origin: "RFC 5280, 6.3.3 (d)", rule: "crl", client: split,
		files: map[string][]byte{"get " + crlURL: encode(t, m.withPoint(uri(crlURL)))},
	})
	last := "RFC 5280, 6.3.3, last paragraph"
	for name, list := range map[string]ocsptest.List{
		"of-the-cas-own-name":                  m.withPoint(named(m.ca.cert.RawSubject)),
		"of-the-cas-own-name-in-other-letters": m.withPoint(named(bytes.ReplaceAll(m.ca.cert.RawSubject, []byte("Clients"), []byte("CLIENTS")))),
	} {
		m.write(revocationVector{
			name: "scope-" + name, expect: vectorAccepted, origin: "eID CAs; " + last, rule: "crl", client: m.issue(unpointed), issuers: []*identity{m.ca},
			files: map[string][]byte{"list ca.crl": encode(t, list)},
		})
	}
	m.write(revocationVector{
		name: "scope-of-another-cas-name", expect: vectorUnavailable, fault: "scope", origin: last, rule: "crl", client: m.issue(unpointed), issuers: []*identity{m.ca},
		files: map[string][]byte{"list ca.crl": encode(t, m.withPoint(named(m.root.cert.RawSubject)))},
	})
}

func (m *vectorMaker) listSigners() {
	t, c := m.t, m.issue()
	const names, keys, usage = "puppet, mbedTLS; RFC 5280, 7.1", "RFC 5280, 6.3.3 (f)", "RFC 5280, 4.2.1.3"
	issuer := m.ca.cert.RawSubject
	named := func(name []byte) ocsptest.List {
		l := m.list()
		l.Issuer = name
		return l
	}
	m.listed("issuer-in-other-letters", vectorAccepted, "", names, c, named(replaceOnce(t, issuer, []byte("Clients CA"), []byte("CLIENTS ca"))))
	m.listed("issuer-in-another-string-type", vectorAccepted, "", names, c, named(replaceOnce(t, issuer, []byte("\x13\x0aClients CA"), []byte("\x0c\x0aClients CA"))))
	spaced := makeCert(t, "Clients  CA", newKey(t), nil, asCA).cert.RawSubject
	m.listed("issuer-with-other-spacing", vectorAccepted, "", names, c, named(spaced))
	m.listed("issuer-of-another-name", vectorUnavailable, "issuer", "RFC 5280, 6.3.3 (b) (1)", c, named(m.root.cert.RawSubject))
	other := m.list()
	other.Extensions[0] = ocsptest.AuthorityKeyID([]byte("by another method..."))
	m.listed("issuer-by-another-key-identifier", vectorAccepted, "", "cert-manager, Go since 1.25, RFC 7093; RFC 5280, 5.2.1: a means of identifying", c, other)
	by := func(signer *identity, entries ...ocsptest.Entry) ocsptest.List {
		l := m.list(entries...)
		l.Key, l.Extensions = signer.key, []ocsptest.Extension{ocsptest.AuthorityKeyID(signer.cert.SubjectKeyId), ocsptest.CRLNumber(7)}
		return l
	}
	m.listed("signed-by-the-client", vectorUnavailable, "signature", keys, c, by(c))
	m.listed("signed-by-the-root", vectorUnavailable, "signature", keys, c, by(m.root))
	self := makeCert(t, "Clients CA", newKey(t), m.ca, asCA)
	listsAlone := makeCert(t, "Clients CA", newKey(t), m.root, asCA, keyUsage(x509.KeyUsageCRLSign))
	sibling := makeCert(t, "Clients CA", newKey(t), m.root, asCA)
	stranger := makeCert(t, "Clients CA", newKey(t), nil, asCA)
	noCRLs := makeCert(t, "Clients CA", newKey(t), m.ca, asCA, keyUsage(x509.KeyUsageCertSign))
	empty := makeCert(t, "Clients CA", newKey(t), m.ca, asCA, noUsage)
	over := makeCert(t, "Clients CA", newKey(t), m.ca, asCA, valid(now.Add(-100*day), now.Add(-day)))
	for _, k := range []struct {
		name, expect, fault, origin string
		signer                      *identity
	}{
		{"self-issued", vectorAccepted, "", "CAs after a change of key; " + keys, self},
		{"for-lists-alone", vectorAccepted, "", "CAs that sign lists with a key of its own; " + keys, listsAlone},
		{"of-a-sibling", vectorUnavailable, "signature", "two CAs of one name; " + keys, sibling},
		{"of-a-stranger", vectorUnavailable, "signature", keys, stranger},
		{"without-crl-sign", vectorUnavailable, "", usage, noCRLs},
		{"with-an-empty-key-usage", vectorUnavailable, "", usage, empty},
		{"run-out", vectorUnavailable, "", "RFC 5280, 6.1.3 (a) (2)", over},
	} {
		for where, v := range map[string]revocationVector{"configured": {issuers: []*identity{k.signer}}, "sent-along": {along: []*identity{k.signer}}} {
			if where == "sent-along" && k.name == "for-lists-alone" {
				continue // the same as configured
			}
			v.name, v.expect, v.fault, v.origin, v.rule, v.client = "other-key-"+k.name+"-"+where, k.expect, k.fault, k.origin, "crl", c
			v.files = map[string][]byte{"get " + crlURL: encode(t, by(k.signer))}
			m.write(v)
		}
	}
	m.write(revocationVector{
		name: "other-key-self-issued-with-the-certificate", expect: vectorRevoked, origin: keys, rule: "crl", client: c, issuers: []*identity{self},
		files: map[string][]byte{"get " + crlURL: encode(t, by(self, entryFor(c)))},
	})
	for name, with := range map[string]change{"without-crl-sign": keyUsage(x509.KeyUsageCertSign), "for-certificates-and-signatures-alone": keyUsage(x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature)} {
		ca := makeCert(t, "Clients CA", newKey(t), m.root, asCA, with)
		client := makeCert(t, "client", newKey(t), ca, asClient, point(uri(crlURL)))
		m.write(revocationVector{
			name: "ca-" + name, expect: vectorUnavailable, fault: "issuer", origin: usage + " and 6.3.3 (f)", rule: "crl", client: client, issuing: ca,
			files: map[string][]byte{"get " + crlURL: encode(t, by(ca))},
		})
	}
	free := makeCert(t, "Clients CA", newKey(t), m.root, asCA, keyUsage(0))
	m.write(revocationVector{
		name: "ca-without-key-usage", expect: vectorAccepted, origin: usage + ": absent, all uses", rule: "crl", issuing: free,
		client: makeCert(t, "client", newKey(t), free, asClient, point(uri(crlURL))), files: map[string][]byte{"get " + crlURL: encode(t, by(free))},
	})
}

// answered makes a vector with one answer to GET and POST.
func (m *vectorMaker) answered(name, expect, fault, origin string, client *identity, der []byte) {
	m.write(revocationVector{name: "ocsp-" + name, expect: expect, fault: fault, origin: origin, rule: "ocsp", client: client, files: map[string][]byte{"get " + ocspURL: der, "post " + ocspURL: der}})
}

// about returns the usual response about the certificate, signed by the CA.
func (m *vectorMaker) about(client *identity, status []byte, changes ...func(*ocsptest.Response)) []byte {
	r := m.good()
	r.Answers = []ocsptest.Answer{m.answer(client, status)}
	for _, change := range changes {
		change(&r)
	}
	return encode(m.t, r)
}

func (m *vectorMaker) answers() {
	c := m.asking()
	good, gone := ocsptest.StatusGood, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1)
	first := func(change func(*ocsptest.Answer)) func(*ocsptest.Response) {
		return func(r *ocsptest.Response) { change(&r.Answers[0]) }
	}
	one := func(name, expect, fault, origin string, status []byte, changes ...func(*ocsptest.Response)) {
		m.answered(name, expect, fault, origin, c, m.about(c, status, changes...))
	}
	unknown := ocsptest.Extension{OID: []int{1, 3, 6, 1, 4, 1, 55555, 2}, Critical: true, Value: []byte{5, 0}}
	const ids = "RFC 6960, 3.2 (1)"
	one("good", vectorAccepted, "", "RFC 6960, 2.2", good)
	one("revoked", vectorRevoked, "", "RFC 6960, 2.2", gone)
	one("on-hold", vectorRevoked, "", "RFC 6960, 2.2: temporarily too", ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 6))
	one("unknown", vectorUnknown, "", "RFC 6960, 2.2", ocsptest.StatusUnknown)
	one("good-and-revoked", vectorRevoked, "", "RFC 6960, 3.2", good, func(r *ocsptest.Response) { r.Answers = append(r.Answers, m.answer(c, gone)) })
	one("about-another-certificate-as-well", vectorAccepted, "", ids, good, func(r *ocsptest.Response) {
		r.Answers = append([]ocsptest.Answer{m.answer(m.other, gone)}, r.Answers...)
	})
	one("about-another-certificate", vectorUnavailable, "match", ids, good, first(func(a *ocsptest.Answer) { a.ID.Serial = ocsptest.Integer(big.NewInt(5)) }))
	one("about-another-issuers-name", vectorUnavailable, "match", "RFC 6960, 4.1.1", good, first(func(a *ocsptest.Answer) { a.ID.NameHash = bytes.Repeat([]byte{7}, 20) }))
	one("about-another-issuers-key", vectorUnavailable, "match", "RFC 6960, 4.1.1", good, first(func(a *ocsptest.Answer) { a.ID.KeyHash = bytes.Repeat([]byte{7}, 20) }))
	one("by-sha256", vectorAccepted, "", "RFC 6960, 4.1.1", good, first(func(a *ocsptest.Answer) { a.ID = ocsptest.IDOf(crypto.SHA256, m.ca.cert, c.cert.SerialNumber) }))
	one("run-out", vectorUnavailable, "fresh", "RFC 6960, 4.2.2.1", good, first(func(a *ocsptest.Answer) {
		a.ThisUpdate, a.NextUpdate = ocsptest.At(now.Add(-2*day)), ocsptest.At(now.Add(-day))
	}))
	one("of-tomorrow", vectorUnavailable, "", "RFC 6960, 4.2.2.1", good, first(func(a *ocsptest.Answer) {
		a.ThisUpdate, a.NextUpdate = ocsptest.At(now.Add(day)), ocsptest.At(now.Add(2*day))
	}))
	one("produced-tomorrow", vectorUnavailable, "produced", "RFC 6960, 4.2.2.1", good, func(r *ocsptest.Response) { r.ProducedAt = ocsptest.At(now.Add(day)) })
	one("of-a-day-ago-without-next-update", vectorUnavailable, "fresh", "RFC 6960, 3.2 (5): sufficiently recent", good, first(func(a *ocsptest.Answer) {
		a.ThisUpdate, a.NextUpdate = ocsptest.At(now.Add(-day)), nil
	}))
	one("of-a-minute-ago-without-next-update", vectorAccepted, "", "RFC 6960, 4.2.2.1", good, first(func(a *ocsptest.Answer) {
		a.ThisUpdate, a.NextUpdate = ocsptest.At(now.Add(-time.Minute)), nil
	}), func(r *ocsptest.Response) { r.ProducedAt = ocsptest.At(now) })
	one("with-a-critical-extension", vectorUnavailable, "extension", "RFC 6960, 4.4", good, func(r *ocsptest.Response) { r.Extensions = []ocsptest.Extension{unknown} })
	one("with-a-critical-extension-of-the-answer", vectorUnavailable, "extension", "RFC 6960, 4.4", good, first(func(a *ocsptest.Answer) { a.Extensions = []ocsptest.Extension{unknown} }))
	one("tampered-with", vectorUnavailable, "signature", "RFC 6960, 3.2 (2)", good, func(r *ocsptest.Response) {
		r.Forge = func(tbs []byte) []byte { // a digit of nextUpdate
			tbs = slices.Clone(tbs)
			tbs[len(tbs)-10] ^= 1
			return tbs
		}
	})
	one("signed-with-sha1", vectorUnavailable, "algorithm", "RFC 6194, 3", good, func(r *ocsptest.Response) { r.Algorithm = ocsptest.ECDSA(crypto.SHA1) })
	one("by-key", vectorAccepted, "", "RFC 6960, 4.2.2.3", good, func(r *ocsptest.Response) { r.Responder = ocsptest.ByKey(m.ca.cert) })
	one("by-a-name-in-other-letters", vectorAccepted, "", "RFC 5280, 7.1", good, func(r *ocsptest.Response) {
		r.Responder = ocsptest.ByName(replaceOnce(m.t, m.ca.cert.RawSubject, []byte("Clients CA"), []byte("CLIENTS ca")))
	})
	one("by-another-name", vectorUnavailable, "signer", "RFC 6960, 3.2 (3)", good, func(r *ocsptest.Response) { r.Responder = ocsptest.ByName(m.other.cert.RawSubject) })
}

func (m *vectorMaker) responders() {
	t, c := m.t, m.asking()
	const section = "RFC 6960, 4.2.2.2"
	asked := func(by *identity) []byte {
		r := m.by(by)
		r.Answers = []ocsptest.Answer{m.answer(c, ocsptest.StatusGood)}
		return encode(t, r)
	}
	stranger := makeCert(t, "Stranger CA", newKey(t), nil, asCA)
	sibling := makeCert(t, "Clients CA", newKey(t), m.root, asCA)
	respelled := *m.ca.cert
	respelled.RawSubject = replaceOnce(t, m.ca.cert.RawSubject, []byte("Clients CA"), []byte("CLIENTS ca"))
	issued := func(by *identity, changes ...change) *identity {
		return makeCert(t, "responder", newKey(t), by, append([]change{asDelegate}, changes...)...)
	}
	for _, d := range []struct {
		name, expect, fault, origin string
		by                          *identity
	}{
		{"of-the-ca", vectorAccepted, "", section, issued(m.ca)},
		{"by-another-spelling-of-the-ca", vectorAccepted, "", "RFC 5280, 7.1", issued(&identity{cert: &respelled, key: m.ca.key})},
		{"by-another-key-identifier", vectorAccepted, "", "RFC 7093; RFC 5280, 4.2.1.1: identifiers help to find", issued(m.ca, extra(ocsptest.AuthorityKeyID([]byte("another"))))},
		{"for-clients-as-well", vectorAccepted, "", section, issued(m.ca, usages(x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageOCSPSigning))},
		{"without-extended-key-usage", vectorUnavailable, "responder", section, issued(m.ca, usages())},
		{"for-any-usage", vectorUnavailable, "responder", section + ": id-kp-OCSPSigning itself", issued(m.ca, usages(x509.ExtKeyUsageAny))},
		{"for-clients", vectorUnavailable, "responder", section, issued(m.ca, usages(x509.ExtKeyUsageClientAuth))},
		{"with-key-encipherment-alone", vectorUnavailable, "responder", "RFC 5280, 4.2.1.12", issued(m.ca, keyUsage(x509.KeyUsageKeyEncipherment))},
		{"with-an-empty-key-usage", vectorUnavailable, "responder", "RFC 5280, 4.2.1.3", issued(m.ca, noUsage)},
		{"without-key-usage", vectorAccepted, "", "RFC 5280, 4.2.1.3: absent, all uses", issued(m.ca, keyUsage(0))},
		{"of-another-ca", vectorUnavailable, "responder", section, issued(stranger)},
		{"of-another-ca-of-the-name", vectorUnavailable, "responder", section, issued(sibling)},
		{"of-the-ca-above", vectorUnavailable, "responder", section + ": issued directly", issued(m.root)},
		{"run-out", vectorUnavailable, "responder", section, issued(m.ca, valid(now.Add(-100*day), now.Add(-day)))},
		{"not-valid-yet", vectorUnavailable, "responder", section, issued(m.ca, valid(now.Add(day), now.Add(2*day)))},
		{"with-a-critical-extension", vectorUnavailable, "responder", "RFC 5280, 4.2", issued(m.ca, extra(ocsptest.Extension{OID: []int{1, 3, 6, 1, 4, 1, 55555, 1}, Critical: true, Value: []byte{5, 0}}))},
		{"that-is-the-certificate", vectorUnavailable, "responder", section, c},
		{"of-the-certificates-key", vectorUnavailable, "responder", section, makeCert(t, "responder", c.key, m.ca, asDelegate)},
		{"that-is-another-client", vectorUnavailable, "responder", section, m.other},
		{"that-is-the-root", vectorUnavailable, "responder", section, m.root},
		{"that-is-a-ca-of-the-name", vectorUnavailable, "responder", section, sibling},
	} {
		m.answered("responder-"+d.name, d.expect, d.fault, d.origin, c, asked(d.by))
	}
	revoked := m.by(issued(m.ca))
	revoked.Answers = []ocsptest.Answer{m.answer(c, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), -1))}
	m.answered("responder-that-revokes", vectorRevoked, "", section, c, encode(t, revoked))
}

// What a responder that supports only POST answers to a GET.
func (m *vectorMaker) requests() {
	t, c := m.t, m.asking()
	const origin = "responders behind caches, and such as know no GET; RFC 6960, A.1, and RFC 5019, 5"
	refusal := func(status byte) []byte { return encode(t, ocsptest.Response{Status: status, WithoutBytes: true}) }
	good, gone := m.about(c, ocsptest.StatusGood), m.about(c, ocsptest.StatusRevoked(ocsptest.At(now.Add(-day)), 1))
	another := m.about(m.other, ocsptest.StatusGood)
	for _, r := range []struct {
		name, expect, fault string
		get, post           []byte
	}{
		{"malformed-request-then-good", vectorAccepted, "", refusal(1), good},
		{"malformed-request-then-revoked", vectorRevoked, "", refusal(1), gone},
		{"malformed-request-twice", vectorUnavailable, "refused", refusal(1), refusal(1)},
		{"unauthorized-then-good", vectorAccepted, "", refusal(6), good},
		{"unauthorized-then-revoked", vectorRevoked, "", refusal(6), gone},
		{"unauthorized-twice", vectorUnavailable, "refused", refusal(6), refusal(6)},
		{"another-certificate-then-good", vectorAccepted, "", another, good},
		{"another-certificate-then-revoked", vectorRevoked, "", another, gone},
		{"another-certificate-twice", vectorUnavailable, "match", another, another},
		{"html-then-good", vectorAccepted, "", []byte("<!DOCTYPE html><title>Sign in</title>"), good},
		{"try-later-then-good", vectorAccepted, "", refusal(3), good},
		{"sig-required", vectorUnavailable, "refused", refusal(5), refusal(5)},
	} {
		m.write(revocationVector{name: "request-" + r.name, expect: r.expect, fault: r.fault, origin: origin, rule: "ocsp", client: c, files: map[string][]byte{"get " + ocspURL: r.get, "post " + ocspURL: r.post}})
	}
}
