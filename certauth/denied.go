package certauth

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// Denied refuses the listed certificates and accepts every other, so it never stands
// alone: put it into an [All] behind an anchor. It is for the hour between an incident
// and the CA's revocation list.
//
// There is no entry by thumbprint, since a thumbprint can be evaded (see
// [Thumbprints]). An empty Denied is an error of [New].
type Denied struct {
	// Serials lists certificates by issuer and serial number; a serial number alone
	// identifies nothing. It needs an anchor that vouches for the names.
	Serials []IssuerSerial

	// PublicKeys lists keys as for the policy [PublicKeys]. The leaf and every CA in its
	// verified chains are compared, also in chains that a later rule verifies: a denied CA
	// denies all that it issued.
	PublicKeys []string
}

// IssuerSerial names one certificate as a revocation list does.
type IssuerSerial struct {
	// Issuer is the issuer's distinguished name, written as for [Subject].
	Issuer string
	// Serial is the serial number in hex, any case, with or without colons or spaces.
	Serial string
}

func (p Denied) compile(c *compilation, at place) (rule, standing) {
	path := at.path + ".Denied"
	c.forbidUnderNot(path, at)
	if len(p.Serials) == 0 && len(p.PublicKeys) == 0 {
		c.mistake(path, "empty")
	}
	if at.standing.vouched == vouchedNothing {
		c.mistake(path, "stands before any anchor; put a Chain or a pin in front of it")
	}
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
		pins, mistakes := newPinSet(pinPublicKey, p.PublicKeys)
		for _, m := range mistakes {
			c.mistake(path+".PublicKeys"+m.at, "%w", m.err)
		}
		r.keys = pins
	}
	return r, at.standing
}

func parseIssuerSerial(entry IssuerSerial) (dn.Name, *big.Int, error) {
	issuer, err := dn.ParseString(entry.Issuer)
	if err != nil {
		return nil, nil, fmt.Errorf("Issuer: %w", err)
	}
	digits := strings.NewReplacer(":", "", " ", "", leftToRightMark, "").Replace(entry.Serial)
	serial, ok := new(big.Int).SetString(digits, 16)
	if !ok || strings.ContainsAny(digits, "+-_") || serial.Sign() <= 0 || serial.BitLen() > 160 {
		return nil, nil, errors.New("Serial: not a positive number of at most 20 bytes in hex")
	}
	return issuer, serial, nil
}

type deniedSerial struct {
	issuer dn.Name
	serial *big.Int
}

type deniedRule struct {
	path    string
	serials []deniedSerial
	keys    pinSet
}

func (r *deniedRule) judge(e *evaluation) *Error {
	if refused := r.look(e); refused != nil {
		return refused
	}
	e.last = append(e.last, r)
	return nil
}

// look runs where the rule stands, and once more when all chains are known.
func (r *deniedRule) look(e *evaluation) *Error {
	if len(r.serials) > 0 {
		issuer, err := dn.Parse(e.id.Leaf.RawIssuer)
		if err != nil {
			return refusal(ReasonCertificateMalformed, r.path, "issuer: %w", err)
		}
		for _, entry := range r.serials {
			if entry.serial.Cmp(e.id.Leaf.SerialNumber) == 0 && entry.issuer.Equal(issuer) {
				return refusal(ReasonCertificateDenied, r.path+".Serials", "serial %x of this issuer is listed", entry.serial)
			}
		}
	}
	if r.keys.len() == 0 {
		return nil
	}
	if r.denies(e.id.Leaf) {
		return refusal(ReasonCertificateDenied, r.path+".PublicKeys", "the leaf's key is listed")
	}
	for _, chain := range e.id.Chains {
		for _, ca := range chain[1:] {
			if r.denies(ca) {
				return refusal(ReasonCertificateDenied, r.path+".PublicKeys", "the key of CA %s is listed", quote(nameOf(ca.RawSubject)))
			}
		}
	}
	return nil
}

func (r *deniedRule) denies(cert *x509.Certificate) bool {
	return r.keys.contains(pinPublicKey.hash(cert))
}

func (r *deniedRule) describe(p *printer) {
	p.line("not one of %d denied serials and %d denied keys", len(r.serials), r.keys.len())
}
