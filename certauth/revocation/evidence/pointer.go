package evidence

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

const (
	maxResponders = 3 // URLs of one certificate that are used
	maxPoints     = 4
)

// Pointers are the sources that a certificate names for its revocation status.
type Pointers struct {
	// Named reports whether the certificate names a source in any form, usable or not. Such a
	// certificate does not count as one without a source, because its CA publishes revocations.
	Named bool
	// Responders are the http and https URLs of OCSP responders, at most three.
	Responders []string
	// Lists are the http and https URLs of distribution points, at most four. The URLs of one
	// point are alternatives, also at most four.
	Lists [][]string
	// Deltas are URLs of delta CRLs. NamesDelta reports whether the certificate names any, even
	// if none can be fetched.
	Deltas     []string
	NamesDelta bool
	// Unused describes the named sources that cannot be queried.
	Unused string
}

// PointersOf returns the sources that the certificate names.
func PointersOf(cert *x509.Certificate) Pointers {
	isUnusable := func(url string) bool { return whyUnusable(url) != "" }
	responders := slices.DeleteFunc(slices.Clone(cert.OCSPServer), isUnusable)
	p := Pointers{Named: len(cert.OCSPServer) > 0, Responders: responders[:min(len(responders), maxResponders)]}
	var unused []string
	for _, e := range cert.Extensions {
		switch {
		case e.Id.Equal(oidAuthorityInfo):
			locations, ok := responderLocations(e.Value)
			p.Named = p.Named || !ok || len(locations) > 0
			unused = append(unused, unusedNames("the OCSP responder", locations)...)
		case e.Id.Equal(oidDistributionPoints):
			p.Named, p.Lists = true, pointURLs(e.Value, cert.RawIssuer)
			unused = append(unused, unusedPoints("the CRL distribution point", e.Value, cert.RawIssuer)...)
		case e.Id.Equal(oidFreshestCRL):
			p.Named, p.NamesDelta, p.Deltas = true, true, freshestURLs(e.Value, cert.RawIssuer)
			unused = append(unused, unusedPoints("the delta CRL at", e.Value, cert.RawIssuer)...)
		case e.Id.Equal(oidNetscapeURL), e.Id.Equal(oidNetscapeCAURL):
			p.Named = true
			unused = append(unused, "a Netscape revocation URL, which is not fetched")
		}
	}
	const most = 3
	if len(unused) > most {
		unused = append(unused[:most:most], fmt.Sprintf("and %d more", len(unused)-most))
	}
	p.Unused = strings.Join(unused, "; ")
	return p
}

// unusedNames describes the GeneralNames that are not fetched, and why.
func unusedNames(kind string, names [][]byte) (unused []string) {
	for _, name := range names {
		if text, why := generalName(name); why != "" {
			unused = append(unused, fmt.Sprintf("%s %s, which %s", kind, text, why))
		}
	}
	return unused
}

func unusedPoints(kind string, der, ca []byte) (unused []string) {
	points, err := readDistributionPoints(der)
	if err != nil {
		return []string{kind + " in an extension that cannot be read"}
	}
	for _, point := range points {
		switch {
		case point.isOfAnother(ca):
			issuer, _ := generalName(point.issuer)
			unused = append(unused, kind+" "+namesText(point.names)+", whose CRL issuer "+issuer+" is not the CA: indirect CRLs are not supported")
		case len(point.names) == 0:
			unused = append(unused, kind+" by a name relative to the CA, which leads nowhere")
		default:
			unused = append(unused, unusedNames(kind, point.names)...)
		}
	}
	return unused
}

// pointURLs returns the URLs of each distribution point, which are alternatives. They are hints, so
// what cannot be read or fetched is omitted.
func pointURLs(der, ca []byte) [][]string {
	points, _ := parseDistributionPoints(der, ca)
	var all [][]string
	for _, point := range points {
		var uris []string
		for _, name := range point.names {
			if uri, ok := httpURL(name); ok && len(uris) < maxPoints {
				uris = append(uris, uri)
			}
		}
		if len(uris) > 0 && len(all) < maxPoints {
			all = append(all, uris)
		}
	}
	return all
}

var (
	oidAuthorityInfo = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidOCSP          = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	// netscape-revocation-url and netscape-ca-revocation-url, which old CAs still use.
	oidNetscapeURL   = asn1.ObjectIdentifier{2, 16, 840, 1, 113730, 1, 3}
	oidNetscapeCAURL = asn1.ObjectIdentifier{2, 16, 840, 1, 113730, 1, 4}
)

// responderLocations returns the GeneralNames of OCSP responders in an AuthorityInfoAccessSyntax
// (RFC 5280, section 4.2.2.1). crypto/x509 keeps only those that are URIs.
func responderLocations(der []byte) (locations [][]byte, ok bool) {
	list := readSequence(der, "")
	for list.more() {
		one := list.inside(cbasn1.SEQUENCE, "")
		method, location := one.oid(""), one.anyElement("")
		one.end("")
		if method.Equal(oidOCSP) {
			locations = append(locations, location)
		}
	}
	if *list.err != nil {
		return nil, false
	}
	return locations, true
}

// generalName formats a GeneralName, and says why it is not fetched, or "".
func generalName(name cryptobyte.String) (text, why string) {
	if directory, ok := directoryName(name); ok {
		return dn.Quote(directory), "is a directory name, not a URL"
	}
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !name.ReadAnyASN1(&content, &tag) {
		return "(unreadable)", "cannot be read"
	}
	if tag != cbasn1.Tag(6).ContextSpecific() {
		return "in another form", "is not a URL"
	}
	return logtext.Quote(string(content)), whyUnusable(string(content))
}

func namesText(names [][]byte) string {
	if len(names) == 0 {
		return "(no name)"
	}
	const most = 4
	var texts []string
	for _, name := range names[:min(len(names), most)] {
		text, _ := generalName(name)
		texts = append(texts, text)
	}
	if more := len(names) - most; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, ", ")
}

// outOfScope says which distribution point a list is for, and which the certificate names.
func (s *Subject) outOfScope(p *issuingPoint) error {
	var own [][]byte
	for _, point := range s.points {
		own = append(own, point.names...)
	}
	names := "none"
	if len(own) > 0 {
		names = namesText(own)
	}
	return advice.New(helpScope, ErrCRLScope, "it is for the distribution point %s, and the certificate names %s", namesText(p.names), names)
}

// maxFreshest is how many URLs of delta CRLs are kept.
const maxFreshest = 4

// freshestURLs reads a FreshestCRL, which has the form of distribution points. The result is a
// copy, so that no more than these URLs stay in memory with an index.
func freshestURLs(der, ca []byte) []string {
	urls := slices.Concat(pointURLs(der, ca)...)
	return slices.Clone(urls[:min(len(urls), maxFreshest)])
}

// httpURL returns the text of a GeneralName that is an absolute http or https URL.
func httpURL(name cryptobyte.String) (string, bool) {
	var content cryptobyte.String
	if !name.ReadASN1(&content, cbasn1.Tag(6).ContextSpecific()) || !name.Empty() {
		return "", false
	}
	return string(content), whyUnusable(string(content)) == ""
}

const schemeCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-."

// whyUnusable returns why a certificate's URL is not fetched, or "". AD CS, for example, writes
// LDAP URLs first. Where the URL leads is checked when it is fetched.
func whyUnusable(text string) string {
	mustEscape := func(r rune) bool { return r <= ' ' || r > '~' } // an IA5String
	if i := strings.IndexFunc(text, mustEscape); i >= 0 {
		return fmt.Sprintf("holds the byte 0x%02x, which a URL must escape", text[i])
	}
	scheme, _, found := strings.Cut(text, ":")
	if !found || scheme == "" || strings.Trim(scheme, schemeCharacters) != "" { // it is not quoted
		return "has no scheme, and only http and https are fetched"
	}
	if !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return "is of scheme " + logtext.Quote(scheme) + ", and only http and https are fetched"
	}
	if parsed, err := url.Parse(text); err != nil || parsed.Host == "" {
		return "cannot be read as a URL"
	}
	return ""
}
