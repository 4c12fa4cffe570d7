package evidence

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// maxFreshest is how many URLs of delta CRLs are kept.
const maxFreshest = 4

// freshestURLs reads a FreshestCRL, which has the form of distribution points. The result is a
// copy, so that no more than these URLs stay in memory with an index.
func freshestURLs(der []byte) []string {
	urls := slices.Concat(pointURLs(der)...)
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
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.") == ""
}
