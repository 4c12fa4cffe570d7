package outbound

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// candidate is a certificate with its key.
type candidate struct {
	leaf *x509.Certificate
	key  ownedKey
}

// choose selects the certificate to present: among those that have a key, match the selection and are usable now, the
// one with the latest NotBefore.
func (p *pool) choose(selected *selection, allowServerAuth bool, now time.Time) (candidate, error) {
	candidates := p.pairs()
	allowed := slices.DeleteFunc(slices.Clone(candidates), func(c candidate) bool { return !selected.matches(c.leaf) })
	if len(allowed) == 0 {
		return candidate{}, p.nothing(candidates, selected)
	}
	newestFirst(allowed)
	var usable []candidate
	var why *Error
	for _, c := range allowed {
		err := usableNow(c.leaf, allowServerAuth, now)
		switch {
		case err == nil:
			usable = append(usable, c)
		case why == nil:
			why = fail(err.Reason, "%s: %w", describe(c.leaf), err.Err)
		}
	}
	if len(usable) == 0 {
		return candidate{}, why
	}
	if selected.everything() {
		for _, c := range usable[1:] {
			if !sameIdentity(usable[0].leaf, c.leaf) {
				return candidate{}, fail(ReasonAmbiguous, "%s and %s", describe(usable[0].leaf), describe(c.leaf))
			}
		}
	}
	return usable[0], nil
}

// skipped says why a piece could not be used, or otherwise why a newer certificate of the same name was not chosen: a
// renewal that has no effect would be noticed only when the one in use expires.
func (p *pool) skipped(chosen *x509.Certificate, selected *selection, allowServerAuth bool, now time.Time) *Error {
	if len(p.failures) > 0 {
		return p.failures[0]
	}
	pairs := p.pairs()
	for _, cert := range p.certs {
		if !cert.NotBefore.After(chosen.NotBefore) || now.Before(cert.NotBefore) || !sameIdentity(cert, chosen) || !selected.matches(cert) {
			continue
		}
		if !slices.ContainsFunc(pairs, func(c candidate) bool { return c.leaf.Equal(cert) }) {
			return noKeyOf(cert)
		}
		if err := usableNow(cert, allowServerAuth, now); err != nil {
			return fail(err.Reason, "%s: %w", describe(cert), err.Err)
		}
	}
	return nil
}

// nextDate returns the first time after now at which a certificate becomes valid or expires, so that the same pool may
// give another choice or chain. It is zero if there is none.
func (p *pool) nextDate(now time.Time) time.Time {
	var next time.Time
	for _, cert := range p.certs {
		for _, date := range []time.Time{cert.NotBefore, cert.NotAfter.Add(1)} {
			if now.Before(date) {
				next = earliest(next, date)
			}
		}
	}
	return next
}

// earliest treats the zero time as never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// pairs matches keys and certificates by public key. Duplicate certificates count once.
func (p *pool) pairs() []candidate {
	var found []candidate
	seen := map[[sha256.Size]byte]bool{}
	for _, cert := range p.certs {
		public, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
		digest := sha256.Sum256(cert.Raw)
		if !ok || seen[digest] {
			continue
		}
		seen[digest] = true
		for _, key := range p.keys {
			if public.Equal(key.Public()) {
				found = append(found, candidate{cert, key})
				break
			}
		}
	}
	return found
}

// nothing explains why there is no candidate.
func (p *pool) nothing(candidates []candidate, selected *selection) error {
	// The error of a piece that could not be read explains more than its absence.
	if len(p.failures) > 0 {
		return p.failures[0]
	}
	for _, cert := range p.certs {
		if !cert.IsCA && selected.matches(cert) {
			if len(p.keys) == 0 {
				return fail(ReasonKeyMissing, "%s has no private key in this source", describe(cert))
			}
			return noKeyOf(cert)
		}
	}
	switch {
	case len(candidates) > 0:
		e := fail(ReasonNotSelected, "none of %d with a key matches Select; the first is %s", len(candidates), describe(candidates[0].leaf))
		if name, err := dn.Parse(candidates[0].leaf.RawSubject); err == nil && name.EqualReversed(selected.subject) && !name.Equal(selected.subject) {
			e.Hint = "Select.Subject has the parts in the opposite order; RFC 4514 writes the most specific first, openssl x509 prints it last"
		}
		return e
	case len(p.certs) == 0 && len(p.keys) == 0:
		return fail(ReasonSourceUnavailable, "no certificate")
	case len(p.certs) == 0:
		return malformed("put the certificate and its chain beside the key; in File, Path is the file of the certificate and Key that of the key", "no certificate, only a key")
	}
	return fail(ReasonKeyMissing, "none of %d certificates has its key in this source", len(p.certs))
}

// noKeyOf returns the error about a certificate beside keys of others.
func noKeyOf(cert *x509.Certificate) *Error {
	err := fail(ReasonKeyMissing, "no key in this source belongs to %s", describe(cert))
	err.Hint = "put the key with which this certificate was requested beside it; was only one of the two files replaced?"
	return err
}

func newestFirst(candidates []candidate) {
	slices.SortFunc(candidates, func(a, b candidate) int {
		return cmp.Or(b.leaf.NotBefore.Compare(a.leaf.NotBefore), b.leaf.NotAfter.Compare(a.leaf.NotAfter), bytes.Compare(a.leaf.Raw, b.leaf.Raw))
	})
}

// usableNow says why a certificate cannot be presented.
func usableNow(leaf *x509.Certificate, allowServerAuth bool, now time.Time) *Error {
	switch {
	case leaf.BasicConstraintsValid && leaf.IsCA:
		return fail(ReasonCertificateIsCA, "CA:TRUE")
	case now.After(leaf.NotAfter):
		return fail(ReasonCertificateExpired, "expired at %s, now is %s", stamp(leaf.NotAfter), stamp(now))
	case now.Before(leaf.NotBefore):
		return fail(ReasonCertificateNotYetValid, "valid from %s, now is %s", stamp(leaf.NotBefore), stamp(now))
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return fail(ReasonUsageNotAllowed, "its key usage has no digitalSignature")
	case !clientUsage(leaf, allowServerAuth):
		return fail(ReasonUsageNotAllowed, "its extended key usage has no clientAuth")
	}
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < 2048 || bits > 8192 {
			return fail(ReasonKeyNotAllowed, "RSA key of %d bits, want 2048 to 8192", bits)
		}
	case *ecdsa.PublicKey:
		if bits := key.Params().BitSize; bits < 256 {
			return fail(ReasonKeyNotAllowed, "curve of %d bits, want at least 256", bits)
		}
	}
	return nil
}

func clientUsage(leaf *x509.Certificate, allowServerAuth bool) bool {
	if len(leaf.ExtKeyUsage) == 0 && len(leaf.UnknownExtKeyUsage) == 0 {
		return true
	}
	for _, usage := range leaf.ExtKeyUsage {
		switch usage {
		case x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageAny:
			return true
		case x509.ExtKeyUsageServerAuth:
			if allowServerAuth {
				return true
			}
		default:
		}
	}
	return false
}

// sameIdentity reports whether one certificate may be the renewal of the other: the subjects match, and they have
// an alternative name in common or neither has any.
func sameIdentity(a, b *x509.Certificate) bool {
	if !dn.Match(a.RawSubject, b.RawSubject) {
		return false
	}
	namesA, namesB := alternativeNames(a), alternativeNames(b)
	if len(namesA) == 0 && len(namesB) == 0 {
		return true
	}
	return slices.ContainsFunc(namesA, func(name string) bool { return slices.Contains(namesB, name) })
}

func describe(leaf *x509.Certificate) string {
	digest := sha256.Sum256(leaf.Raw)
	name := ""
	switch {
	case len(leaf.Subject.Names) > 0:
		name = nameText(leaf.Subject, leaf.RawSubject)
	case len(leaf.URIs) > 0: // workloads often have only URIs
		name = leaf.URIs[0].String()
	case len(leaf.DNSNames) > 0:
		name = leaf.DNSNames[0]
	}
	return quote(name) + " (SHA-256 " + hex.EncodeToString(digest[:])[:16] + "...)"
}

// nameText formats the name as Go does, unless it is too long: pkix needs quadratic time.
func nameText(name pkix.Name, der []byte) string {
	if len(der) > 1024 {
		return fmt.Sprintf("(a name of %d bytes)", len(der))
	}
	return name.String()
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
