package certauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/certcheck"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// SPIFFEIDs accepts X.509-SVIDs whose SPIFFE ID is listed: exactly, as in
// "spiffe://prod.example/orders", or by trust domain, as in "spiffe://prod.example" without a
// path, which accepts every workload of that trust domain. A certificate with another URI in
// addition to the SPIFFE ID, with a SPIFFE ID that is not well formed, or with the key usage
// keyCertSign or cRLSign, and a CA certificate, is not an X.509-SVID and never matches (SPIFFE
// X509-SVID, sections 2 and 5.2).
type SPIFFEIDs []string

func (p SPIFFEIDs) compile(c *compilation, at place) (rule, standing) {
	return c.altRule(&altSPIFFE, p, at, parseSPIFFEPattern)
}

// spiffeIDs returns the SPIFFE ID, if there is one.
func spiffeIDs(f *facts) []string {
	if _, ok := spiffeID(f); ok {
		return f.names().alt.URIs
	}
	return nil
}

// isOfSPIFFE reports whether a URI has the scheme of SPIFFE IDs.
func isOfSPIFFE(uri string) bool {
	scheme, _, found := strings.Cut(uri, ":")
	return found && san.FoldASCII(scheme) == "spiffe"
}

// whyNotSVID says why a certificate with a URI that is meant to be a SPIFFE ID is no X.509-SVID.
func whyNotSVID(f *facts) string {
	uris := f.names().alt.URIs
	text := fmt.Sprintf("%d URIs (%s), want exactly one, a SPIFFE ID", len(uris), quoteList(uris))
	if len(uris) > 1 {
		return text
	}
	switch _, path, err := splitSPIFFE(uris[0]); {
	case err != nil:
		return text + ": " + err.Error()
	case path == "":
		return text + ": without a path it names no workload"
	case f.isCA:
		return fmt.Sprintf("a CA certificate, want that of a workload beside a SPIFFE ID (%s)", quoteList(uris))
	}
	return fmt.Sprintf("key usage of the leaf: %s, want neither keyCertSign nor cRLSign beside a SPIFFE ID (%s)", certcheck.KeyUsages(f.leaf), quoteList(uris))
}

// spiffeKeys returns the SPIFFE ID and that of its trust domain.
func spiffeKeys(f *facts, keys []string) ([]string, bool) {
	id, ok := spiffeID(f)
	if !ok {
		return keys, len(f.names().alt.URIs) == 0
	}
	domain, _, _ := splitSPIFFE(id)
	return append(keys, id, id[:len("spiffe://")+len(domain)]), true
}

func spiffeID(f *facts) (string, bool) {
	names := &f.names().alt
	if f.isCA || len(names.URIs) != 1 || names.Fault(san.URI) != nil || f.leaf.KeyUsage&(x509.KeyUsageCertSign|x509.KeyUsageCRLSign) != 0 {
		return "", false
	}
	_, path, err := splitSPIFFE(names.URIs[0])
	if err != nil || path == "" {
		return "", false
	}
	return names.URIs[0], true
}

func parseSPIFFEPattern(s string) error {
	if _, _, err := splitSPIFFE(s); err != nil {
		return err
	}
	return san.CheckURI(s)
}

// splitSPIFFE checks the syntax of SPIFFE-ID, section 2: a lower-case trust domain
// without port or user, and path segments without escapes, empty or dot segments.
func splitSPIFFE(s string) (domain, path string, err error) {
	rest, ok := strings.CutPrefix(s, "spiffe://")
	if !ok || len(s) > 2048 {
		return "", "", errors.New("not a SPIFFE ID (spiffe://trust-domain/path)")
	}
	domain, path = rest, ""
	if slash := strings.IndexByte(rest, '/'); slash >= 0 {
		domain, path = rest[:slash], rest[slash:]
	}
	if domain == "" || len(domain) > 255 || strings.Trim(domain, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return "", "", errors.New("trust domain is not lower-case letters, digits, dots, hyphens and underscores")
	}
	if path == "" {
		return domain, "", nil
	}
	for segment := range strings.SplitSeq(path[1:], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return "", "", errors.New("empty or dot segment in the path")
		}
		for i := range len(segment) {
			if !san.IsAlphanumeric(segment[i]) && strings.IndexByte(".-_", segment[i]) < 0 {
				return "", "", errors.New("path segment is not letters, digits, dots, hyphens and underscores")
			}
		}
	}
	return domain, path, nil
}
