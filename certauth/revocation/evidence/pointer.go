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
	maxPoints     = 4 // distribution points, URLs of one of them, URLs of delta CRLs
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
			_, others := readNames("the OCSP responder", locations)
			unused = append(unused, others...)
		case e.Id.Equal(oidDistributionPoints):
			points, others := readPoints("the CRL distribution point", e.Value, cert.RawIssuer)
			p.Named, p.Lists, unused = true, points, append(unused, others...)
		case e.Id.Equal(oidFreshestCRL):
			points, others := readPoints("the delta CRL at", e.Value, cert.RawIssuer)
			p.Named, p.NamesDelta, p.Deltas, unused = true, true, firstURLs(points), append(unused, others...)
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

// readPoints returns the URLs of each distribution point, which are alternatives, and describes what
// is not fetched. The URLs are hints, so what cannot be read is omitted.
func readPoints(kind string, der, ca []byte) (urls [][]string, unused []string) {
	points, err := readDistributionPoints(der)
	if err != nil {
		return nil, []string{kind + " in an extension that cannot be read"}
	}
	for _, point := range points {
		switch {
		case point.isOfAnother(ca):
			_, issuer, _ := generalName(point.issuer)
			unused = append(unused, kind+" "+namesText(point.names)+", whose CRL issuer "+issuer+" is not the CA: indirect CRLs are not supported")
		case len(point.names) == 0:
			unused = append(unused, kind+" by a name relative to the CA, which leads nowhere")
		default:
			alternatives, others := readNames(kind, point.names)
			unused = append(unused, others...)
			if len(alternatives) > 0 && len(urls) < maxPoints {
				urls = append(urls, alternatives[:min(len(alternatives), maxPoints)])
			}
		}
	}
	return urls, unused
}

// readNames returns the URLs among GeneralNames that are fetched, and describes the other names.
func readNames(kind string, names [][]byte) (urls, unused []string) {
	for _, name := range names {
		if url, text, why := generalName(name); why != "" {
			unused = append(unused, fmt.Sprintf("%s %s, which %s", kind, text, why))
		} else {
			urls = append(urls, url)
		}
	}
	return urls, unused
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

// generalName returns the URL that a GeneralName contains, the name as text for people, and why it
// is not fetched, or "".
func generalName(name cryptobyte.String) (url, text, why string) {
	if directory, ok := directoryName(name); ok {
		return "", dn.Quote(directory), "is a directory name, not a URL"
	}
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !name.ReadAnyASN1(&content, &tag) {
		return "", "(unreadable)", "cannot be read"
	}
	if tag != cbasn1.Tag(6).ContextSpecific() {
		return "", "in another form", "is not a URL"
	}
	return string(content), logtext.Quote(string(content)), whyUnusable(string(content))
}

func namesText(names [][]byte) string {
	if len(names) == 0 {
		return "(no name)"
	}
	const most = 4
	var texts []string
	for _, name := range names[:min(len(names), most)] {
		_, text, _ := generalName(name)
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

// firstURLs returns those of delta CRLs. The result is a copy, so that no more than these URLs stay in
// memory with an index.
func firstURLs(points [][]string) []string {
	urls := slices.Concat(points...)
	return slices.Clone(urls[:min(len(urls), maxPoints)])
}

// whyUnusable returns why a certificate's URL is not fetched, or "". AD CS, for example, writes
// LDAP URLs first. Where the URL leads is checked when it is fetched.
func whyUnusable(text string) string {
	mustEscape := func(r rune) bool { return r <= ' ' || r > '~' } // an IA5String
	if i := strings.IndexFunc(text, mustEscape); i >= 0 {
		return fmt.Sprintf("holds the byte 0x%02x, which a URL must escape", text[i])
	}
	parsed, err := url.Parse(text)
	switch {
	case err != nil:
		return "cannot be read as a URL"
	case parsed.Scheme == "":
		return "has no scheme, and only http and https are fetched"
	case parsed.Scheme != "http" && parsed.Scheme != "https":
		return "is of scheme " + logtext.Quote(parsed.Scheme) + ", and only http and https are fetched"
	case parsed.Host == "":
		return "cannot be read as a URL"
	}
	return ""
}
