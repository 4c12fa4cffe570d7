package certauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync/atomic"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
	"github.com/seed2886b8ae/go-certauth/internal/pins"
)

// Denied refuses the listed certificates and accepts all others, so it cannot be used
// alone: put it into an [All], after an anchor. It is for the time between an incident and
// the CA's next revocation list.
//
// If a client's key was stolen, list the key: whoever has it can use every certificate that was
// issued for it. An entry of Serials blocks one of them.
//
// There are no entries by thumbprint, because a thumbprint can be evaded (see
// [Thumbprints]). An empty Denied is an error of [New].
type Denied struct {
	// Serials lists certificates by issuer and serial number; a serial number alone
	// identifies nothing. The leaf and every CA in its chains are compared, as for PublicKeys.
	//
	// A deny list must not fail because of a spelling. Letter case, spaces and string types
	// do not matter (RFC 5280, section 7.1), nor does the order in which the issuer is
	// written. An issuer that cannot be read, or that cannot be distinguished from the listed
	// one because its letters are composed differently or encoded in TeletexString beyond
	// ASCII, counts as listed if the serial number is. Serials needs an anchor that vouches
	// for the names.
	//
	// A CA can have several certificates, and a client chooses which one to present. To
	// refuse all certificates that a CA issued, list the CA's key.
	Serials []IssuerSerial

	// PublicKeys lists keys as for the policy [PublicKeys]. The leaf and every CA in its
	// chains are compared, for all chains on the same path through the policy (see
	// [Any]), including those that a rule after the Denied verifies, those that a
	// [NotRevoked] excludes and those that a [Chain] refuses although names and signatures are
	// right, such as chains through a CA that has expired. If a CA is listed,
	// all certificates that it issued are refused. That takes a [Chain]: under a pin alone, and
	// behind a front end that verifies, no chain is known, and only the leaf is compared.
	PublicKeys []string
}

// IssuerSerial identifies a certificate as a revocation list does. Both fields are required.
type IssuerSerial struct {
	// Issuer is the issuer's distinguished name, written as for [Subject].
	Issuer string
	// Serial is the serial number in hex, in any case, with or without colons or spaces; not
	// in decimal, which openssl prints for small ones. RFC 5280, section 4.1.2.2, allows at
	// most 20 bytes; longer ones, which some CAs use, are compared as well.
	Serial string
}

func (p Denied) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Denied"
	c.forbidUnderNot(path, at)
	if len(p.Serials) == 0 && len(p.PublicKeys) == 0 {
		c.mistake(path, "empty")
	}
	c.needAnchor(path, at)
	r := &deniedRule{path: path}
	if len(p.Serials) > 0 {
		c.needNames(path+".Serials", at)
	}
	for i, entry := range p.Serials {
		issuer, serial, err := parseIssuerSerial(entry)
		if err != nil {
			c.mistake(fmt.Sprintf("%s.Serials[%d]", path, i), "%w", err)
			continue
		}
		r.serials = append(r.serials, deniedSerial{issuer, serial})
	}
	if len(p.PublicKeys) > 0 {
		r.keys = c.pinSet(pinPublicKey, path+".PublicKeys", p.PublicKeys)
	}
	return r, at.standing
}

func parseIssuerSerial(entry IssuerSerial) (dn.Name, *big.Int, error) {
	issuer, err := dn.ParseString(entry.Issuer)
	if err != nil {
		return nil, nil, fmt.Errorf("Issuer: %w", err)
	}
	digits := strings.NewReplacer(":", "", " ", "", "\u200e", "").Replace(entry.Serial)
	serial, ok := new(big.Int).SetString(digits, 16)
	if !ok || strings.ContainsAny(digits, "+-_") || serial.Sign() <= 0 {
		return nil, nil, errors.New("Serial: not a positive number in hex")
	}
	return issuer, serial, nil
}

type deniedSerial struct {
	issuer dn.Name
	serial *big.Int
}

// mayBeIssuer reports whether the certificate's issuer may be that of the entry. It returns
// true for an issuer that cannot be read or distinguished, because the serial number is listed.
func (d *deniedSerial) mayBeIssuer(parsed *atomic.Pointer[parsedName], cert *x509.Certificate) bool {
	issuer := issuerOf(parsed, cert)
	return issuer.err != nil || !d.issuer.Differs(issuer.name) || !d.issuer.Differs(issuer.name.Reversed())
}

type deniedRule struct {
	path    string
	serials []deniedSerial
	keys    pins.Set
}

func (r *deniedRule) judge(e *evaluation) *Error {
	e.path.note(r)
	return r.deny(e.facts.leaf, &e.facts.sums, &e.facts.issuer, false)
}

func (r *deniedRule) stage() stage { return stageVerified }

func (r *deniedRule) settle(_ *evaluation, p *policyPath) *Error {
	for chain := range p.proven() {
		for i, ca := range chain.certs[1:] {
			known := chain.ca(i + 1)
			if refused := r.deny(ca, &known.sums, &known.issuer, true); refused != nil {
				refused.deniedCA = true
				return refused
			}
		}
	}
	return nil
}

func (r *deniedRule) deny(cert *x509.Certificate, sums *certSums, parsed *atomic.Pointer[parsedName], ca bool) *Error {
	if r.keys.Len() > 0 && r.keys.Contains(sums.of(&pinPublicKey, cert)) {
		return refusal(ReasonCertificateDenied, r.path+".PublicKeys", "the key of %s is listed", whoIs(cert, ca))
	}
	for i := range r.serials {
		if entry := &r.serials[i]; entry.serial.Cmp(cert.SerialNumber) == 0 && entry.mayBeIssuer(parsed, cert) {
			return refusal(ReasonCertificateDenied, r.path+".Serials", "serial %x of %s, issued by %s, is listed", entry.serial, whoIs(cert, ca), dn.Text(cert.RawIssuer))
		}
	}
	return nil
}

func whoIs(cert *x509.Certificate, ca bool) string {
	if ca {
		return "CA " + dn.Quote(cert.RawSubject)
	}
	return "the leaf"
}

// maxDeniedShown bounds how many serials are written. A list for emergencies is shorter.
const maxDeniedShown = 16

// describe names the certificates, so that the log shows which ones were blocked, and from when on.
// Keys are only counted, as pins are everywhere.
func (r *deniedRule) describe(p *printer) {
	p.line("not one of %d denied serials and %d denied keys", len(r.serials), r.keys.Len())
	p.indent++
	shown := min(len(r.serials), maxDeniedShown)
	for _, entry := range r.serials[:shown] {
		p.line("serial %x of %s", entry.serial, quote(entry.issuer.String()))
	}
	if more := len(r.serials) - shown; more > 0 {
		p.line("and %d more", more)
	}
	p.indent--
}
