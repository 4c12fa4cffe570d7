package evidence

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// maxFreshest is how many URLs of delta CRLs are kept.
const maxFreshest = 4

// freshestOf returns the URLs of delta CRLs that a certificate names (RFC 5280, section 4.2.1.15),
// as [CRL.FreshestURLs] does for a list.
func freshestOf(cert *x509.Certificate) []string {
	for _, e := range cert.Extensions {
		if e.Id.Equal(oidFreshestCRL) {
			return freshestURLs(e.Value)
		}
	}
	return nil
}

// freshestURLs reads a FreshestCRL, which has the form of distribution points. It proves nothing,
// so what cannot be read or fetched is omitted.
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
	return string(content), whyUnusable(string(content)) == ""
}

// whyUnusable returns why a certificate's URL is not fetched, or "". AD CS, for example, writes
// LDAP URLs first. Where the URL leads is checked when it is fetched.
func whyUnusable(text string) string {
	mustEscape := func(r rune) bool { return r <= ' ' || r > '~' } // an IA5String
	if i := strings.IndexFunc(text, mustEscape); i >= 0 {
		return fmt.Sprintf("holds the byte 0x%02x, which a URL must escape", text[i])
	}
	scheme, _, found := strings.Cut(text, ":")
	if !found || !isScheme(scheme) {
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

// isScheme keeps text that is not a scheme out of error texts.
func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return s != ""
}
