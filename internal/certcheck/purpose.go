package certcheck

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// IsForClients reports whether the certificate's own extended key usage permits a TLS client, or
// a TLS server if serverAuth is accepted instead.
func IsForClients(cert *x509.Certificate, serverAuth bool) bool {
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 {
		return true
	}
	return slices.ContainsFunc(cert.ExtKeyUsage, func(usage x509.ExtKeyUsage) bool {
		return usage == x509.ExtKeyUsageClientAuth || usage == x509.ExtKeyUsageAny || serverAuth && usage == x509.ExtKeyUsageServerAuth
	})
}

// NotForClients returns the refusal of a certificate that lists other purposes. who names the
// certificate.
func NotForClients(who string, cert *x509.Certificate, serverAuth bool) *Refusal {
	if serverAuth {
		return Refuse(WrongUsage, "extended key usage of %s: %s, want clientAuth or serverAuth", who, Purposes(cert))
	}
	refused := Refuse(WrongUsage, "extended key usage of %s: %s, want clientAuth", who, Purposes(cert))
	switch {
	case cert.IsCA:
		refused.Hint = "the usages of a CA limit what it issues: the partner needs a certificate of a CA that may issue for clientAuth"
	case slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageServerAuth):
		refused.Hint = "the partner needs a certificate with the extended key usage clientAuth"
	default:
		return refused
	}
	if IsForClients(cert, true) {
		refused.Hint += "; public CAs no longer issue any: until then AcceptServerAuth takes this one"
	}
	return refused
}

// Purposes formats a certificate's extended key usages for a log.
func Purposes(cert *x509.Certificate) string {
	var names []string
	for _, usage := range firstOf(cert.ExtKeyUsage) {
		names = append(names, usage.String())
	}
	for _, usage := range firstOf(cert.UnknownExtKeyUsage) {
		names = append(names, fmt.Sprint(usage))
	}
	return logtext.Clip(cmp.Or(strings.Join(names, ", "), "none"), logtext.MaxQuoted)
}

func firstOf[T any](list []T) []T { return list[:min(len(list), logtext.MaxListed)] }
