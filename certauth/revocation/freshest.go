package revocation

import (
	"crypto/x509"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxFreshest is how many places of delta CRLs are kept.
const maxFreshest = 4

// freshestOf returns where the freshest CRL extension of a certificate says that delta
// CRLs are (RFC 5280, section 4.2.1.15), as [CRL.FreshestURLs] does for a list.
func freshestOf(cert *x509.Certificate) []string {
	for _, e := range cert.Extensions {
		if e.Id.Equal(oidFreshestCRL) {
			return freshestURLs(e.Value)
		}
	}
	return nil
}

// freshestURLs reads a FreshestCRL, which is written like the distribution points of a
// certificate. It is a hint where to look and proves nothing, so that what cannot be read
// or fetched is passed over.
func freshestURLs(der []byte) []string {
	points, err := parseDistributionPoints(der)
	if err != nil {
		return nil
	}
	var urls []string
	for _, point := range points {
		for _, name := range point.names {
			if text, ok := httpURL(name); ok && len(urls) < maxFreshest {
				urls = append(urls, text)
			}
		}
	}
	return urls
}

// httpURL returns the text of a GeneralName that is an absolute http or https URL.
func httpURL(name cryptobyte.String) (string, bool) {
	var content cryptobyte.String
	if !name.ReadASN1(&content, cbasn1.Tag(6).ContextSpecific()) || !name.Empty() {
		return "", false
	}
	text := string(content)
	parsed, err := url.Parse(text)
	if err != nil || parsed.Host == "" || !strings.EqualFold(parsed.Scheme, "http") && !strings.EqualFold(parsed.Scheme, "https") {
		return "", false
	}
	for _, c := range content {
		if c <= ' ' || c > '~' { // an IA5String, and none of what a URL must escape
			return "", false
		}
	}
	return text, true
}
