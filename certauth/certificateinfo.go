package certauth

import (
	"encoding/hex"
	"strings"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/der"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/logtext"
)

// CertificateInfo identifies a certificate in an [Event].
type CertificateInfo struct {
	// Fingerprint is the SHA-256 of the DER in lower-case hex, as [Identity.Thumbprint]
	// returns it.
	Fingerprint string
	// Subject is the distinguished name. If that is empty, as in the certificates of workloads, it
	// is the alternative names ("URI:spiffe://cluster.local/ns/shop/sa/orders, DNS:orders"), with
	// a backslash before each comma in a name. It is escaped as in Go and cut to 256 bytes.
	Subject string
	// Verified reports whether the name can be relied on: a part of the policy vouches for it,
	// whatever the cause of a refusal, or the certificate is part of the configuration. Otherwise
	// the sender wrote the name, and any sender can write the name of a partner. It is false if the
	// refusal is that a CA of the chain is revoked, denied, or excluded by a Not.
	Verified bool
	// NotAfter is the end of the validity. It is zero if the certificate was refused before it
	// was parsed.
	NotAfter time.Time
}

const maxRequestText = 256

// looked bounds the part of a text that is searched for secrets, because a request may have a
// mebibyte of path, and a certificate 16 kilobytes of subject: the part that is shown, and enough
// after it to recognise what begins there.
const looked = maxRequestText + 64

func requestText(s string) string { return logtext.Line(s[:min(len(s), looked)], maxRequestText) }

// info describes the certificate as unverified.
func (f *facts) info() CertificateInfo {
	return *remembered(&f.named, func() CertificateInfo {
		return CertificateInfo{
			Fingerprint: hex.EncodeToString(f.sums.of(&pinThumbprint, f.leaf)),
			Subject:     logtext.Line(f.names().shown(), maxRequestText), NotAfter: f.notAfter,
		}
	})
}

// shown returns the subject, or the alternative names of a certificate without one (RFC 5280,
// section 4.1.2.6). It ends soon after the part that records show.
func (n *certNames) shown() string {
	if subject := n.subject.name; len(subject) > 0 {
		return subject.Brief(looked)
	}
	var b strings.Builder
	escape := strings.NewReplacer(`\`, `\\`, ",", `\,`)
	add := func(kind, name string) {
		if b.Len() >= looked {
			return
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(kind)
		b.WriteString(escape.Replace(name[:min(len(name), looked)]))
	}
	for _, kind := range []struct {
		label string
		names []string
	}{{"URI:", n.alt.URIs}, {"DNS:", n.alt.DNS}, {"email:", n.alt.Emails}, {"email:", n.alt.UTF8Emails}, {"UPN:", n.alt.UPNs}} {
		for _, name := range kind.names {
			add(kind.label, name)
		}
	}
	for _, address := range n.alt.IPs {
		add("IP:", address.String())
	}
	return b.String()
}

// refusedLeaf is the certificate that a refusal is about.
type refusedLeaf struct {
	facts   *facts   // nil if the policy was not asked
	vouched vouching // by the policy
	der     []byte   // if facts is nil
}

func (l *refusedLeaf) info() CertificateInfo {
	if l.facts != nil {
		info := l.facts.info()
		info.Verified = l.vouched == vouchedNames
		return info
	}
	info := CertificateInfo{Fingerprint: hex.EncodeToString(sumSHA256(l.der))}
	if subject, ok := subjectOf(l.der); ok {
		info.Subject = logtext.Line(nameOf(subject), maxRequestText)
	}
	return info
}

// ofUnread records the certificate of a refusal that was made without the policy. Data that does not
// have the form of a certificate is ignored.
func (e *Error) ofUnread(leaf []byte) *Error {
	if isOneSequence(leaf) {
		e.leaf = &refusedLeaf{der: leaf}
	}
	return e
}

// subjectOf returns the DER of the subject of a certificate (RFC 5280, section 4.1) that was
// not parsed. It believes nothing but the order of the fields.
func subjectOf(certificate []byte) (subject []byte, ok bool) {
	outer, _, _ := der.Read(certificate)
	if outer.Tag != der.Sequence {
		return nil, false
	}
	tbs, _, _ := der.Read(outer.Content)
	if tbs.Tag != der.Sequence {
		return nil, false
	}
	const integer, version = 0x02, der.Context | der.Constructed
	rest := tbs.Content
	if first, behind, _ := der.Read(rest); first.Tag == version {
		rest = behind
	}
	// serialNumber, signature, issuer, validity, subject
	for _, tag := range []byte{integer, der.Sequence, der.Sequence, der.Sequence, der.Sequence} {
		field, behind, _ := der.Read(rest)
		if field.Tag != tag {
			return nil, false
		}
		subject, rest = field.Full, behind
	}
	return subject, true
}

// nameOf formats a DN for a log.
func nameOf(der []byte) string {
	name, err := dn.Parse(der)
	if err != nil {
		return "(unreadable name)"
	}
	return name.Brief(looked)
}
