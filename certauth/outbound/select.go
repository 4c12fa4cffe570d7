package outbound

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
	"github.com/seed2886b8ae/go-certauth/internal/sha1sum"
)

// Select selects a certificate of a source. A certificate must match all fields that are set. Names survive a renewal,
// thumbprints do not. The zero value selects any certificate, provided that all usable ones are renewals of one
// another.
type Select struct {
	// Subject is the whole subject as an RFC 4514 string, most specific part first: "CN=orders,O=Contoso". It is compared
	// attribute by attribute, exactly.
	Subject string

	// SAN is one of the subject alternative names: a DNS name (compared without case), a URI such as a SPIFFE ID, an
	// e-mail address or an IP address (each compared exactly).
	SAN string

	// Thumbprints are the SHA-1 digests (40 hex digits, as Azure shows them) or SHA-256 digests (64) of allowed
	// certificates, in either case, with or without colons and spaces.
	Thumbprints []string
}

// selection is a Select that was checked.
type selection struct {
	subject     dn.Name
	san         string
	thumbprints [][]byte
}

func (s Select) compile() (*selection, []error) {
	var mistakes []error
	compiled := &selection{san: strings.TrimSpace(s.SAN)}
	if s.SAN != "" && compiled.san == "" {
		mistakes = append(mistakes, errors.New(".SAN: blank"))
	}
	if s.Subject != "" {
		name, err := dn.ParseString(s.Subject)
		if err == nil && len(name) == 0 {
			err = errors.New("blank")
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf(".Subject: %w", err))
		}
		compiled.subject = name
	}
	for i, text := range s.Thumbprints {
		thumbprint, err := parseThumbprint(text)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf(".Thumbprints[%d]: %w", i, err))
		}
		compiled.thumbprints = append(compiled.thumbprints, thumbprint)
	}
	if s.Thumbprints != nil && len(s.Thumbprints) == 0 {
		mistakes = append(mistakes, errors.New(".Thumbprints: empty, want nil or thumbprints"))
	}
	return compiled, mistakes
}

// parseThumbprint reads hex. Windows adds a left-to-right mark before text that it copies.
func parseThumbprint(text string) ([]byte, error) {
	digits := strings.NewReplacer(":", "", " ", "", "\u200e", "").Replace(text)
	value, err := hex.DecodeString(digits)
	if err != nil {
		return nil, fmt.Errorf("%s is not hex", quote(text))
	}
	if len(value) != sha1sum.Size && len(value) != sha256.Size {
		return nil, fmt.Errorf("%d bytes, want 20 (SHA-1) or 32 (SHA-256)", len(value))
	}
	if len(value) == sha1sum.Size && !sha1sum.Available() {
		return nil, fmt.Errorf("%w; want 32 bytes (SHA-256)", sha1sum.ErrUnavailable)
	}
	return value, nil
}

// everything reports that Select is empty.
func (s *selection) everything() bool {
	return s.subject == nil && s.san == "" && len(s.thumbprints) == 0
}

func (s *selection) matches(cert *x509.Certificate) bool {
	if s.subject != nil {
		if name, err := dn.Parse(cert.RawSubject); err != nil || !name.Equal(s.subject) {
			return false
		}
	}
	if s.san != "" && !hasAlternativeName(cert, s.san) {
		return false
	}
	if len(s.thumbprints) == 0 {
		return true
	}
	long := sha256.Sum256(cert.Raw)
	short, err := sha1sum.Of(cert.Raw)
	return slices.ContainsFunc(s.thumbprints, func(t []byte) bool {
		return bytes.Equal(t, long[:]) || err == nil && bytes.Equal(t, short[:])
	})
}

func hasAlternativeName(cert *x509.Certificate, want string) bool {
	if address, err := netip.ParseAddr(want); err == nil {
		return slices.ContainsFunc(cert.IPAddresses, func(ip net.IP) bool {
			have, ok := netip.AddrFromSlice(ip)
			return ok && have.Unmap() == address.Unmap()
		})
	}
	if slices.ContainsFunc(cert.DNSNames, func(name string) bool { return strings.EqualFold(name, want) }) || slices.Contains(cert.EmailAddresses, want) {
		return true
	}
	for _, uri := range cert.URIs {
		if uri.String() == want {
			return true
		}
	}
	return false
}

// alternativeNames lists all names with their types.
func alternativeNames(cert *x509.Certificate) []string {
	var names []string
	for _, uri := range cert.URIs {
		names = append(names, "URI:"+uri.String())
	}
	for _, name := range cert.DNSNames {
		names = append(names, "DNS:"+strings.ToLower(name))
	}
	for _, name := range cert.EmailAddresses {
		names = append(names, "email:"+name)
	}
	for _, ip := range cert.IPAddresses {
		names = append(names, "IP:"+ip.String())
	}
	return names
}

func quote(s string) string { return logtext.Quote(s) }
