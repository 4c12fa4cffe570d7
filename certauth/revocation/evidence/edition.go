package evidence

import (
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/seed2886b8ae/go-certauth/internal/advice"
	"github.com/seed2886b8ae/go-certauth/internal/dn"
)

// Edition tells one issue of a list from another: whose it is, of which distribution point,
// its number and its times. It can be kept when the list is not.
type Edition struct {
	ThisUpdate, NextUpdate time.Time // NextUpdate is zero if the list has none

	issuer, point []byte // point is the extension unchanged, nil if absent
	number        *big.Int
}

func (x *index) edition(issuer []byte) Edition {
	return Edition{x.thisUpdate, x.nextUpdate, issuer, x.pointDER, x.number}
}

// Edition is that of the list with its delta.
func (l *CRL) Edition() Edition {
	if l == nil || l.by == nil {
		return Edition{}
	}
	e := l.newest().edition(l.by.RawSubject)
	e.NextUpdate = l.NextUpdate()
	return e
}

// CheckNewer returns nil if next may take the place of the list. A next with a smaller
// cRLNumber, or without two numbers that differ an earlier thisUpdate, gives [ErrRollback].
// Lists of different issuers ([ErrCRLIssuer]) or issuing distribution points ([ErrCRLScope])
// are not comparable.
func (e Edition) CheckNewer(next Edition) error {
	switch {
	case e.issuer == nil || next.issuer == nil || !dn.Match(e.issuer, next.issuer):
		return fmt.Errorf("%w: not to be compared", ErrCRLIssuer)
	case !sameExtension(e.point, next.point):
		return fmt.Errorf("%w: another issuing distribution point", ErrCRLScope)
	case (standing{next.number, next.ThisUpdate}).compare(standing{e.number, e.ThisUpdate}) < 0:
		return ErrRollback
	}
	return nil
}

// Begun returns an error for a list whose time has not come, by clocks that differ by skew.
func (e Edition) Begun(now time.Time, skew time.Duration) error {
	if e.ThisUpdate.After(now.Add(skew)) {
		return fromFuture("the CRL", e.ThisUpdate, now)
	}
	return nil
}

// Current returns an error for a list whose time has not come or has run out by its
// nextUpdate. Such a list is kept for its revocations; another is needed.
func (e Edition) Current(now time.Time, skew time.Duration) error {
	if err := e.Begun(now, skew); err != nil {
		return err
	}
	if e.IsOver(now, skew) {
		return advice.New(helpOver, ErrNotFresh, "the CRL of %s ran out at its nextUpdate, %s", instant(e.ThisUpdate), instant(e.NextUpdate))
	}
	return nil
}

// IsOver reports whether the nextUpdate has passed, by clocks that differ by skew.
func (e Edition) IsOver(now time.Time, skew time.Duration) bool {
	return !e.NextUpdate.IsZero() && now.After(e.NextUpdate.Add(skew))
}

// Preview holds the unverified header fields of a CRL.
type Preview struct {
	Issuer  []byte // the name in DER
	IsDelta bool
	Edition Edition
}

// Look reads a CRL, DER or one PEM block, as far as its entries and verifies nothing. It is for
// choosing a list to verify.
func Look(content []byte) (Preview, error) {
	der, err := unwrapPEM(content)
	if err != nil {
		return Preview{}, err
	}
	l, err := parseList(der, completeList)
	isDelta := errors.Is(err, errIsDelta)
	if isDelta {
		l, err = parseList(der, deltaList)
	}
	if err != nil {
		return Preview{}, err
	}
	return Preview{l.issuer, isDelta, Edition{ThisUpdate: l.thisUpdate, NextUpdate: l.nextUpdate, issuer: l.issuer, number: l.number}}, nil
}

// MaySignLists reports whether a certificate is of a CA, or of a signer of its CRLs, that may
// sign them at that time, by clocks that differ by skew.
func MaySignLists(cert *x509.Certificate, at time.Time, skew time.Duration) bool {
	return mayUse(cert, x509.KeyUsageCRLSign) && (cert.IsCA || cert.KeyUsage&x509.KeyUsageCRLSign != 0) &&
		len(cert.UnhandledCriticalExtensions) == 0 && ValidAt(cert, at, skew)
}
