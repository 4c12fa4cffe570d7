package certcheck

import (
	"cmp"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"slices"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/san"
)

// Extensions that crypto/x509 parses but does not enforce. The parsed fields are zero both if an
// extension is absent and if it is empty, so this file looks for the extension itself.
var (
	oidKeyUsage            = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidBasicConstraints    = asn1.ObjectIdentifier{2, 5, 29, 19}
	oidNameConstraints     = asn1.ObjectIdentifier{2, 5, 29, 30}
	oidCertificatePolicies = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidPolicyConstraints   = asn1.ObjectIdentifier{2, 5, 29, 36}
	oidExtendedKeyUsage    = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidInhibitAnyPolicy    = asn1.ObjectIdentifier{2, 5, 29, 54}

	oidPolicyCPS        = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 1}
	oidPolicyUserNotice = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2}
)

// Fault is a property of a certificate's extensions that rules out a use, whatever its issuer.
type Fault int

const (
	// NoFault is the zero value.
	NoFault Fault = iota

	faultKeyUsage   // of a leaf: the extension is present and does not allow signatures or key agreement
	faultNoCertSign // of a CA: it is present and does not allow signing certificates
	faultEmptyUsage // the extended key usage is empty (RFC 5280, section 4.2.1.12, requires at least one)
	faultCritical   // of a leaf: an unknown critical extension
	faultCriticalCA // of a CA: the same, name constraints excepted
	faultQualifier  // critical policies with an unknown qualifier (section 4.2.1.4: reject)
	faultLimit      // a limit for the CAs below of which crypto/x509 reads only a part
)

// IsOfExtension reports whether an extension is not understood.
func (f Fault) IsOfExtension() bool {
	return f == faultCritical || f == faultCriticalCA || f == faultQualifier || f == faultLimit
}

// FaultOfLeaf checks a client's certificate. TLS 1.3 signs with its key (RFC 8446, section
// 4.4.3); TLS 1.2 signs or, rarely, agrees on a key (RFC 5246, section 7.4.6). RFC 5280, section
// 4.2.1.12, names the same two bits for clientAuth.
func FaultOfLeaf(leaf *x509.Certificate) Fault {
	if hasKeyUsage(leaf) && leaf.KeyUsage&(x509.KeyUsageDigitalSignature|x509.KeyUsageKeyAgreement) == 0 {
		return faultKeyUsage
	}
	if len(UnhandledExtensions(leaf)) > 0 {
		return faultCritical
	}
	return faultOfAny(leaf)
}

// FaultOfCA checks a certificate as the issuer of another (RFC 5280, section 6.1.4). Name
// constraints are checked with the chain.
func FaultOfCA(ca *x509.Certificate) Fault {
	if hasKeyUsage(ca) && ca.KeyUsage&x509.KeyUsageCertSign == 0 {
		return faultNoCertSign
	}
	if unknownCritical(ca) != nil {
		return faultCriticalCA
	}
	return faultOfAny(ca)
}

func faultOfAny(cert *x509.Certificate) Fault {
	if len(cert.ExtKeyUsage)+len(cert.UnknownExtKeyUsage) == 0 && Extension(cert, oidExtendedKeyUsage) != nil {
		return faultEmptyUsage
	}
	if policies := Extension(cert, oidCertificatePolicies); policies != nil && policies.Critical && !qualifiersAreKnown(policies.Value) {
		return faultQualifier
	}
	if unreadableLimit(cert) != nil {
		return faultLimit
	}
	return NoFault
}

// unreadableLimit returns the first extension with limits for the CAs below that does not have the
// form of RFC 5280, sections 4.2.1.9, 4.2.1.11 and 4.2.1.14. crypto/x509 ignores what it does not
// expect there: a number in the wrong place, with another tag or below zero, and any further
// field. It would then let the CA do more than its certificate says.
func unreadableLimit(cert *x509.Certificate) asn1.ObjectIdentifier {
	for i := range cert.Extensions {
		readable := true
		switch e := &cert.Extensions[i]; {
		case e.Id.Equal(oidBasicConstraints):
			readable = hasFields(e.Value, asn1.TagBoolean, asn1.TagInteger)
		case e.Id.Equal(oidPolicyConstraints):
			readable = hasFields(e.Value, der.Context, der.Context|1)
		case e.Id.Equal(oidInhibitAnyPolicy):
			number, rest, ok := der.Read(e.Value)
			readable = ok && len(rest) == 0 && number.Tag == asn1.TagInteger && isNatural(number.Content)
		}
		if !readable {
			return cert.Extensions[i].Id
		}
	}
	return nil
}

// hasFields reports whether the value is a sequence of fields with these tags, in this order. Each
// may be missing. Except for a boolean, they are numbers, which must not be negative.
func hasFields(value []byte, tags ...byte) bool {
	outer, rest, ok := der.Read(value)
	if !ok || len(rest) > 0 || outer.Tag != der.Sequence {
		return false
	}
	rest = outer.Content
	for _, tag := range tags {
		if len(rest) == 0 || rest[0] != tag {
			continue
		}
		var field der.Element
		if field, rest, ok = der.Read(rest); !ok || tag != asn1.TagBoolean && !isNatural(field.Content) {
			return false
		}
	}
	return len(rest) == 0
}

// isNatural reports whether the content of an INTEGER is not negative.
func isNatural(content []byte) bool { return len(content) > 0 && content[0] < 0x80 }

// unknownCritical returns the first unknown critical extension of a CA.
func unknownCritical(ca *x509.Certificate) asn1.ObjectIdentifier {
	for _, id := range ca.UnhandledCriticalExtensions {
		if !id.Equal(oidNameConstraints) {
			return id
		}
	}
	return nil
}

// UnhandledExtensions returns the critical extensions of a leaf that have not been processed.
// crypto/x509 includes alternative names that hold none of its four types; user principal names,
// which policies read, are not unhandled.
func UnhandledExtensions(leaf *x509.Certificate) []asn1.ObjectIdentifier {
	unhandled := leaf.UnhandledCriticalExtensions
	at := slices.IndexFunc(unhandled, san.OID.Equal)
	if at < 0 {
		return unhandled
	}
	if names, err := san.Of(leaf); err != nil || len(names.UPNs) == 0 || names.Fault(san.OtherName) != nil {
		return unhandled
	}
	return slices.Delete(slices.Clone(unhandled), at, at+1)
}

func hasKeyUsage(cert *x509.Certificate) bool {
	return cert.KeyUsage != 0 || Extension(cert, oidKeyUsage) != nil
}

// Extension returns the extension of a certificate, or nil. crypto/x509 refuses certificates that
// have an extension twice.
func Extension(cert *x509.Certificate, id asn1.ObjectIdentifier) *pkix.Extension {
	for i := range cert.Extensions {
		if known := cert.Extensions[i].Id; len(known) == len(id) && known[len(id)-1] == id[len(id)-1] && known.Equal(id) {
			return &cert.Extensions[i]
		}
	}
	return nil
}

// qualifiersAreKnown reads a certificatePolicies extension (RFC 5280, section 4.2.1.4). It
// returns false for an extension that it cannot read.
func qualifiersAreKnown(value []byte) bool {
	return everySequence(value, func(policy []byte) bool {
		id, qualifiers, ok := der.Read(policy)
		return ok && id.Tag == der.OID && (len(qualifiers) == 0 || everySequence(qualifiers, isKnownQualifier))
	})
}

func isKnownQualifier(qualifier []byte) bool {
	var id asn1.ObjectIdentifier
	first, _, _ := der.Read(qualifier)
	_, err := asn1.Unmarshal(first.Full, &id)
	return err == nil && (id.Equal(oidPolicyCPS) || id.Equal(oidPolicyUserNotice))
}

// everySequence reports whether the DER is one SEQUENCE of SEQUENCEs whose contents all hold.
func everySequence(list []byte, holds func(content []byte) bool) bool {
	outer, rest, ok := der.Read(list)
	if !ok || len(rest) > 0 || outer.Tag != der.Sequence {
		return false
	}
	for rest = outer.Content; len(rest) > 0; {
		var one der.Element
		if one, rest, ok = der.Read(rest); !ok || one.Tag != der.Sequence || !holds(one.Content) {
			return false
		}
	}
	return true
}

// Refusal describes the fault of a certificate. who is "the leaf", or names a CA.
func (f Fault) Refusal(who string, cert *x509.Certificate) *Refusal {
	switch f {
	case faultKeyUsage:
		return Refuse(WrongUsage, "key usage of %s: %s, want digitalSignature or keyAgreement", who, KeyUsages(cert)).
			WithHint("the certificate has another purpose, such as encryption; the partner needs one with the key usage digitalSignature")
	case faultNoCertSign:
		return Refuse(Untrusted, "key usage of %s: %s, want keyCertSign", who, KeyUsages(cert)).
			WithHint("a CA without the key usage keyCertSign may not issue certificates; the partner's CA needs a new CA certificate")
	case faultEmptyUsage:
		return Refuse(WrongUsage, "extended key usage of %s lists nothing", who).
			WithHint("the extension is malformed (RFC 5280, section 4.2.1.12); ask the CA for a certificate with clientAuth, or without the extension")
	case faultCritical, faultCriticalCA:
		id := unknownCritical(cert)
		if f == faultCritical {
			id = UnhandledExtensions(cert)[0]
		}
		return Refuse(UnknownExtension, "critical extension %s of %s is not understood", id, who).
			WithHint("RFC 5280 requires that such a certificate is refused; ask the CA for one in which the extension is not critical")
	case faultQualifier:
		return Refuse(UnknownExtension, "critical certificate policies of %s have a qualifier that is not understood", who).
			WithHint("RFC 5280, section 4.2.1.4, requires that such a certificate is refused; ask the CA for one in which the policies are not critical")
	case faultLimit:
		return Refuse(UnknownExtension, "extension %s of %s does not have the form of RFC 5280, so its limits are not known", unreadableLimit(cert), who).
			WithHint("the certificate is malformed; ask the CA for a new one, of which openssl x509 -text shows the contents of this extension")
	case NoFault:
	}
	return nil
}

// KeyUsages lists the bits of a key usage extension, named as in openssl and RFC 5280.
func KeyUsages(cert *x509.Certificate) string {
	names := [...]string{"digitalSignature", "nonRepudiation", "keyEncipherment", "dataEncipherment", "keyAgreement", "keyCertSign", "cRLSign", "encipherOnly", "decipherOnly"}
	var set []string
	for i, name := range names {
		if cert.KeyUsage&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	return cmp.Or(strings.Join(set, ", "), "none")
}
